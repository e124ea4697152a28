/*
 * charts.js - two plots over one time axis, drawn from the four values of each bucket (m4).
 *
 * A line goes through first, least, greatest and last of each bucket at the times when they came, so on
 * the screen it is the line that all readings would give. Where a bucket has nothing the line ends. Over
 * months such lines would be carpets: there the means are lines, and least to greatest a veil behind them.
 * uPlot is the canvas, the axes and the cursor; what is hidden or shown, and which span, is said here.
 */
import { element } from './dom.js';
import { tickNames, valueOf, zoneName } from './format.js';

/* uPlot is a classic script. */
const { uPlot } = window;

export const COLOURS = 8;
const DASHES = [[], [7, 4], [2, 3], [10, 3, 2, 3]]; // the colours come again after eight series
const GUTTER = 46, DOT_PX = 2, VEIL = '26'; // the last: opacity, as a colour's last two digits
const STEPS = { temperature: [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100], humidity: [1, 2, 5, 10, 20, 25, 50] };
const LEAST_HEIGHT = { temperature: 2, humidity: 8 }; // of the scale: noise is not to look like weather
const FONT = '12px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif';

export function available() {
  return typeof uPlot === 'function';
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/* ---- Lines ---- */

function bucketPoints(column, index) {
  const { first, last, min, max, first_ms: firstAt, last_ms: lastAt, min_ms: minAt, max_ms: maxAt } = column;
  const points = [[firstAt[index], first[index]]];
  if (min[index] !== max[index]) {
    const low = [minAt[index], min[index]], high = [maxAt[index], max[index]];
    points.push(...(low[0] <= high[0] ? [low, high] : [high, low]));
  }
  points.push([lastAt[index], last[index]]);
  return points;
}

/* From a time and a value to pixels of the canvas. */
function placer(plot) {
  const { left, top, width, height } = plot.bbox;
  const { x, y } = plot.scales;
  const perMs = width / (x.max - x.min), perUnit = height / (y.max - y.min);
  return (time, value) => [left + (time - x.min) * perMs, top + (y.max - value) * perUnit];
}

/* What is too short for a line is a dot. */
function dotIfShort(path, begin, end) {
  if (!begin || end[0] - begin[0] > 2 * DOT_PX) return;
  path.moveTo(begin[0] + DOT_PX, begin[1]);
  path.arc(...begin, DOT_PX, 0, 2 * Math.PI);
}

/* Up to now: the server holds the last value on. */
function tracePath(plot, column, times, now) {
  const path = new Path2D(), at = placer(plot);
  let begin = null, end = null; // of the line, while it is down
  for (let i = 0; i < times.length && times[i] <= now; i++) {
    if (column.last[i] === null) {
      dotIfShort(path, begin, end);
      begin = null;
      continue;
    }
    const points = bucketPoints(column, i).map(([after, value]) => at(times[i] + after, value));
    end = points.at(-1);
    if (!begin) path.moveTo(...(begin = points[0]));
    for (const point of points) path.lineTo(...point);
  }
  dotIfShort(path, begin, end);
  return path;
}

/* The means, each in the middle of its bucket. */
function meanPath(plot, column, times, end) {
  const path = new Path2D(), at = placer(plot);
  let begin = null, last = null;
  for (let i = 0; i < times.length; i++) {
    if (column.mean[i] === null) {
      dotIfShort(path, begin, last);
      begin = null;
      continue;
    }
    last = at((times[i] + (times[i + 1] ?? end)) / 2, column.mean[i]);
    if (begin) path.lineTo(...last);
    else path.moveTo(...(begin = last));
  }
  dotIfShort(path, begin, last);
  return path;
}

/* From least to greatest, a bar a bucket. */
function veilPath(plot, column, times, end, now) {
  const path = new Path2D(), at = placer(plot);
  for (let i = 0; i < times.length; i++) {
    if (column.min[i] === null || times[i] > now) continue;
    const [left, top] = at(times[i], column.max[i]), [right, bottom] = at(times[i + 1] ?? end, column.min[i]);
    path.rect(left, top, right - left, Math.max(1, bottom - top));
  }
  return path;
}

function pathsOf(plot, state, one) {
  const column = one[state.quantity], mean = state.means?.byId.get(one.id)?.[state.quantity];
  const paths = { fill: null, clip: null, flags: 1 };
  if (!mean) return { ...paths, stroke: tracePath(plot, column, state.times, state.now) };
  return { ...paths, stroke: meanPath(plot, mean, state.means.times, state.means.to),
    fill: veilPath(plot, column, state.times, state.end, state.now) };
}

/* ---- The scale of values ---- */

function extentOf(quantity, series, hidden) {
  let low = Infinity, high = -Infinity;
  for (const one of series) {
    if (hidden.has(one.id)) continue;
    for (const value of one[quantity].min) if (value !== null && value < low) low = value;
    for (const value of one[quantity].max) if (value !== null && value > high) high = value;
  }
  if (low > high) return null;
  const missing = Math.max(0, LEAST_HEIGHT[quantity] - (high - low)) / 2;
  const margin = (high - low) * 0.06 + missing;
  if (quantity === 'humidity') return [Math.max(0, low - margin), Math.min(100, high + margin)];
  return [low - margin, high + margin];
}

/* ---- One plot ---- */

function axes(withTimes) {
  const line = { stroke: () => colour('--soft'), font: FONT, ticks: { show: false } };
  const grid = { stroke: () => colour('--line'), width: 1 };
  const times = {
    ...line, grid, space: 64, size: withTimes ? 40 : 8, gap: 6,
    values: (plot, moments, axis, space, step) => (withTimes ? tickNames(moments, step) : moments.map(() => '')),
  };
  return [times, { ...line, grid, size: GUTTER, gap: 6, space: 36 }];
}

function seriesOptions(state, one, index) {
  const slot = one.slot;
  return {
    label: one.id,
    show: !state.hidden.has(one.id),
    width: 1.6,
    cap: 'round',
    dash: DASHES[Math.floor(slot / COLOURS) % DASHES.length],
    stroke: () => colour(`--line-${slot % COLOURS}`),
    points: { show: false },
    fill: () => colour(`--line-${slot % COLOURS}`) + VEIL,
    paths: (plot) => pathsOf(plot, state, state.series[index]),
  };
}

function options(state, size, hover) {
  const [timeAxis, valueAxis] = axes(state.withTimes);
  valueAxis.incrs = STEPS[state.quantity];
  valueAxis.values = (plot, values) => values.map((value) => valueOf(state.quantity, value).replace('.0°', '°'));
  return {
    ...size,
    ms: 1,
    tzDate: (ms) => uPlot.tzDate(new Date(ms), zoneName()),
    padding: [10, 18, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      drag: { x: false, y: false, setScale: false },
      sync: { key: 'temp' },
      points: { size: 8, width: 2, stroke: () => colour('--card') },
      bind: { dblclick: () => null },
      dataIdx: (plot, index, near, time) => state.bucketAt(time) ?? near,
    },
    scales: {
      x: { time: true, auto: false, min: state.from, max: state.to },
      y: { range: () => state.extent },
    },
    axes: [timeAxis, valueAxis],
    series: [{}, ...state.series.map((one, index) => seriesOptions(state, one, index))],
    hooks: { setCursor: [(plot) => hover(plot, state)] },
  };
}

function dataOf(state) {
  return [state.times, ...state.series.map((one) => one[state.quantity].last)];
}

function heightOf(quantity, alone) {
  const share = quantity === 'temperature' ? 0.4 : 0.2;
  const [least, most] = quantity === 'temperature' ? [230, 420] : [130, 200];
  return Math.round(Math.min(most, Math.max(least, window.innerHeight * share))) + (alone ? 32 : 0);
}

function createPlot(root, quantity, hover) {
  const figure = root.querySelector(`[data-quantity=${quantity}]`), box = figure.querySelector('.box');
  const state = { quantity, times: [], series: [], hidden: new Set(), extent: [0, 1], withTimes: true };
  let plot = null, drawn = '';

  const size = () => ({ width: box.clientWidth, height: heightOf(quantity, state.withTimes) });

  /* Which series there are, and whether times stand below: with another of these it is another plot. */
  function build() {
    const old = plot;
    plot = new uPlot(options(state, size(), hover), dataOf(state), element('div'));
    box.replaceChildren(plot.root);
    plot.over.classList.add('pad');
    old?.destroy();
  }

  function update() {
    plot.batch(() => {
      plot.setData(dataOf(state), false);
      state.series.forEach((one, index) => {
        const show = !state.hidden.has(one.id);
        if (plot.series[index + 1].show !== show) plot.setSeries(index + 1, { show });
      });
      plot.setScale('x', { min: state.from, max: state.to });
    });
  }

  function show(answer, hidden, withTimes) {
    const extent = extentOf(quantity, answer.series, hidden);
    figure.hidden = !extent;
    if (!extent) return;
    Object.assign(state, answer, { extent, hidden, withTimes });
    const parts = JSON.stringify([withTimes, zoneName(), answer.series.map((one) => [one.id, one.slot])]);
    if (parts === drawn) update();
    else build();
    drawn = parts;
  }

  function scale(from, to) {
    Object.assign(state, { from, to });
    plot?.setScale('x', { min: from, max: to });
  }

  return {
    show, scale,
    resize: () => plot && !figure.hidden && plot.setSize(size()),
    redraw: () => plot?.redraw(),
    leave: () => plot?.setCursor({ left: -10, top: -10 }),
    pad: () => (figure.hidden ? null : plot?.over),
  };
}

/* ---- Both ---- */

/* `hover(index, left, pad)` hears which bucket the pointer is on; index null = none. */
export function createCharts(root, hover) {
  const tell = (plot, state) => {
    const { left } = plot.cursor;
    const inside = left >= 0 && state.times.length > 0;
    hover(inside ? state.bucketAt(plot.posToVal(left, 'x')) : null, left, plot.over);
  };
  const temperature = createPlot(root, 'temperature', tell), humidity = createPlot(root, 'humidity', tell);
  const both = [temperature, humidity];
  new ResizeObserver(() => both.forEach((plot) => plot.resize())).observe(root);

  /* `answer`: of /api/v1/range, its series with their slots, and `bucketAt`. */
  function show(answer, hidden) {
    const wet = extentOf('humidity', answer.series, hidden) !== null;
    temperature.show(answer, hidden, !wet);
    humidity.show(answer, hidden, true);
    return wet || extentOf('temperature', answer.series, hidden) !== null;
  }

  return {
    show,
    scale: (from, to) => both.forEach((plot) => plot.scale(from, to)),
    redraw: () => both.forEach((plot) => plot.redraw()),
    leave: () => both.forEach((plot) => plot.leave()),
    pad: () => temperature.pad() ?? humidity.pad(),
  };
}
