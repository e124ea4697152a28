/*
 * main.js - the dashboard: what is looked at, what is known, and when the server is asked.
 *
 * A move changes the span at once, with the lines that are there, and asks for the new span when the hand
 * rests. The old lines stay until the new ones are here; a request that is overtaken is given up.
 */
import * as api from './api.js';
import { available, createCharts } from './charts.js';
import { byId, element, recall, remember, setText } from './dom.js';
import { clock, DAY, HOUR, lengthName, setZone, spanName, zoneName } from './format.js';
import { listenToGestures } from './gestures.js';
import { createReadout } from './readout.js';
import { showAges, showTable, showTiles } from './series.js';
import { bucketsFor, showValues } from './values.js';
import { clampSpan, formatView, parseView, placeSpan, SPANS } from './view.js';

const REST_MS = 90; // of the hand, before the server is asked
const POLL_MS = 15000, RETRY_MS = 5000;
const MOST_POINTS = 2000, MOST_SERIES = 40;
const VEILED = 100 * DAY; // spans from here on are drawn as means; below, days can be told apart

const root = byId('plots');
const known = { now: Date.now(), first: Date.now() - DAY, last: 0, series: [], slots: new Map() };
let view = parseView(location.hash, recall('unit'));
let answer = null; // what is drawn
let loading = null, resting = null, polling = null, readAt = 0, clockAhead = 0;

const now = () => Date.now() + clockAhead;
const readout = createReadout(byId('readout'), root);
const charts = createCharts(root, (index, left, pad) => {
  if (answer && !root.classList.contains('dragging')) readout.show(answer, view.hidden, index, left, pad);
});

/* ---- What is known of the series ---- */

function slotOf(id) {
  if (!known.slots.has(id)) known.slots.set(id, known.slots.size);
  return known.slots.get(id);
}

function inView(one) {
  return !one.stale || (one.time >= view.from && one.time < view.to) || drawnSeries().has(one.id);
}

/* Series that have nothing in the span and are silent by now are left out. */
function shownSeries() {
  return known.series.filter(inView);
}

function drawnSeries() {
  const silent = (one) => one.temperature.last.every((value) => value === null) &&
    one.humidity.last.every((value) => value === null);
  if (answer && !answer.byId) answer.byId = new Map(answer.series.filter((one) => !silent(one)).map((one) => [one.id, one]));
  return answer?.byId ?? new Map();
}

function takeLatest(latest) {
  clockAhead = latest.now - Date.now();
  known.now = latest.now;
  known.series = latest.series.filter((one) => one.count > 0)
    .map(({ age_ms: age, ...one }) => ({ ...one, slot: slotOf(one.id) }));
  known.last = Math.max(0, ...known.series.map((one) => one.time));
}

function takeInventory(inventory) {
  const first = inventory.series.filter((one) => one.count > 0).map((one) => one.first);
  if (first.length > 0) known.first = Math.min(...first);
}

/* ---- Showing ---- */

function press(selector, isPressed) {
  for (const button of document.querySelectorAll(selector)) button.setAttribute('aria-pressed', String(isPressed(button)));
}

function wantedUnit() {
  return view.unit ?? known.series[0]?.unit;
}

function shownUnit() {
  return view.unit ?? answer?.unit ?? 'F';
}

function showControls() {
  press('[data-span]', (button) => button.dataset.span === view.span);
  press('[data-unit]', (button) => button.dataset.unit === shownUnit());
  press('[data-show]', (button) => (button.dataset.show === 'table') === view.table);
  // Of all that there is, without the margins.
  const all = view.span === 'all', to = Math.min(view.to, now());
  const from = all ? Math.min(known.first, to - HOUR) : view.from;
  setText(byId('span'), spanName(from, to));
  setText(byId('length'), `${lengthName(all ? to - from : view.to - view.from)} · ${zoneName()}`);
  for (const unit of document.querySelectorAll('.unit')) setText(unit, `°${answer?.unit ?? shownUnit()}`);
  root.hidden = view.table;
  byId('values').hidden = !view.table;
}

function showSeries() {
  showTiles(byId('tiles'), shownSeries(), view.hidden);
  showTable(byId('sensors'), shownSeries(), drawnSeries(), now());
}

function showAnswer() {
  showControls();
  readout.forget();
  // The hand may have gone on since it was asked for: the span is the view's.
  byId('nothing').hidden = view.table || charts.show({ ...answer, from: view.from, to: view.to }, view.hidden);
  setText(byId('nothing'), shownSeries().some((one) => !view.hidden.has(one.id))
    ? 'No readings in this span.' : 'All sensors are switched off.');
  showSeries();
}

function showEmptiness() {
  const empty = known.series.length === 0;
  byId('empty').hidden = !empty;
  byId('dashboard').hidden = empty;
  byId('waiting').hidden = true;
}

function complain(error) {
  if (!(error instanceof api.Refused)) throw error; // a mistake of ours is not to look like one of the line
  const there = answer ? `Showing what was read at ${clock(readAt)}.` : 'Trying again.';
  const words = error.status === 0 || error.status >= 502 ? 'Home is not reachable.'
    : `Home could not answer: ${error.message}.`.replace('..', '.');
  setText(byId('notice'), `${words} ${there}`);
  byId('notice').hidden = false;
  byId('waiting').hidden = true;
}

/* ---- Asking ---- */

function question() {
  const shown = known.series.length > MOST_SERIES
    ? known.series.filter((one) => !view.hidden.has(one.id) && inView(one)).slice(0, MOST_SERIES) : null;
  const common = { from: view.from, to: view.to, unit: wantedUnit(),
    series: shown && shown.length > 0 ? shown.map((one) => one.id).join(',') : null };
  const width = charts.pad()?.clientWidth || root.clientWidth || 1000;
  return { ...common, fn: 'm4', points: Math.max(100, Math.min(MOST_POINTS, Math.round(width))) };
}

function takeAnswer(range, means, asked) {
  const series = range.series.map((one) => ({ ...one, slot: slotOf(one.id) })), count = range.times.length;
  setZone(range.zone);
  const bucketAt = (time) => {
    const index = Math.floor(((time - range.from) / (range.to - range.from)) * count);
    return index >= 0 && index < count && range.times[index] <= known.now ? index : null;
  };
  answer = { from: range.from, to: range.to, end: range.to, now: now(), times: range.times, unit: asked.unit, series,
    bucketAt, means };
}

async function load() {
  rest(null);
  loading?.abort();
  const mine = (loading = new AbortController());
  const asked = question();
  root.setAttribute('aria-busy', 'true');
  try {
    const [range, means] = await Promise.all([api.range(asked, mine.signal),
      asked.to - asked.from >= VEILED ? askMeans(asked, mine.signal) : null, view.table && askValues(asked, mine.signal)]);
    if (mine.signal.aborted) return;
    takeAnswer(range, means, asked);
    readAt = Date.now();
    byId('notice').hidden = true;
    showAnswer();
    root.dataset.loaded = `${asked.from}..${asked.to}`;
  } catch (error) {
    if (error.name !== 'AbortError') complain(error);
  } finally {
    if (loading === mine) {
      loading = null;
      root.setAttribute('aria-busy', 'false');
    }
  }
}

function rest(timer) {
  clearTimeout(resting);
  resting = timer;
  root.toggleAttribute('data-resting', timer !== null);
}

/* The lines of long spans: means of days or weeks, whatever the plot's width is. */
async function askMeans(asked, signal) {
  const bucket = asked.to - asked.from < 800 * DAY ? 'day' : 'week';
  const means = await api.range({ ...asked, points: null, fn: 'mean', bucket }, signal);
  return { times: means.times, to: means.to, byId: new Map(means.series.map((one) => [one.id, one])) };
}

/* The table has its own buckets. */
async function askValues(asked, signal) {
  const buckets = bucketsFor(asked.from, asked.to);
  const means = await api.range({ ...asked, points: null, fn: 'mean', ...buckets }, signal);
  const series = means.series.filter((one) => !view.hidden.has(one.id)).map((one) => ({ ...one, slot: slotOf(one.id) }));
  if (!signal.aborted) showValues(byId('cells'), { ...means, series }, buckets.bucket);
}

/* When the hand rests: the link, the words for who cannot see it, the server. */
function settle() {
  history.replaceState(null, '', formatView(view));
  setText(byId('said'), `Showing ${byId('span').textContent}`);
  return load();
}

/* ---- Moving ---- */

function look(from, to) {
  const [begin, end] = clampSpan(from, to, { ...known, now: now() });
  if (begin === view.from && end === view.to) return false;
  view = { ...view, span: null, from: begin, to: end };
  charts.scale(begin, end);
  readout.hide();
  showControls();
  rest(setTimeout(settle, REST_MS));
  return true;
}

function change(changes) {
  view = placeSpan({ ...view, ...changes }, { ...known, now: now() });
  charts.scale(view.from, view.to);
  showControls();
  showSeries();
  return settle();
}

function reach(name) {
  const length = view.to - view.from;
  if (name === 'all') change({ span: 'all' });
  else if (name === 'now') look(now() - length, now());
  else look(known.first, known.first + length);
}

function toggle(id) {
  const hidden = new Set(view.hidden);
  if (!hidden.delete(id)) hidden.add(id);
  view = { ...view, hidden };
  history.replaceState(null, '', formatView(view));
  if (answer) showAnswer();
  if (view.table || known.series.length > MOST_SERIES) load();
}

/* ---- Living on ---- */

/* In one unit, also where the series have their own. */
async function askLatest() {
  const latest = await api.latest(wantedUnit());
  const unit = latest.series[0]?.unit;
  return latest.series.some((one) => one.unit !== unit) ? api.latest(unit) : latest;
}

/* Has anything come since? Then what is in sight is asked for again, unless somebody is moving it. */
async function poll() {
  clearTimeout(polling);
  let wait = POLL_MS;
  try {
    const before = known.last, empty = known.series.length === 0, said = JSON.stringify(known.series);
    takeLatest(await askLatest());
    showEmptiness();
    if (empty || known.first > known.last) takeInventory(await api.series());
    if (empty && !location.hash && now() - known.first < SPANS.week) view = { ...view, span: 'all' };
    const moved = known.last !== before || !answer;
    if (JSON.stringify(known.series) !== said) showSeries();
    if (known.series.length > 0 && !root.classList.contains('dragging')) await catchUp(moved, before);
    else if (known.series.length === 0) byId('notice').hidden = true;
  } catch (error) {
    wait = RETRY_MS;
    complain(error);
  } finally {
    clearTimeout(polling);
    if (!document.hidden) polling = setTimeout(poll, wait);
  }
}

async function catchUp(moved, before) {
  showAges(byId('sensors'), now());
  if (resting) return; // what is asked for in a moment is newer
  view = placeSpan(view, { ...known, now: now() });
  const inSight = view.span || view.to >= before;
  if (!byId('notice').hidden || (moved && inSight)) await load();
}

function listen() {
  const moves = listenToGestures(root, {
    span: () => [view.from, view.to], look, reach, leave: () => { charts.leave(); readout.hide(); },
    pick: (pad, left, right) => {
      const select = pad.querySelector('.u-select').style;
      Object.assign(select, { left: `${left * 100}%`, width: `${(right - left) * 100}%`, top: 0, height: '100%' });
    },
  });
  const clicks = {
    span: (span) => change({ span }),
    unit: (unit) => { remember('unit', unit); change({ unit }); poll(); },
    show: (show) => change({ table: show === 'table' }),
    zoom: (factor) => moves.zoom(Number(factor)), pan: (by) => moves.pan(Number(by)), id: toggle,
  };
  byId('dashboard').addEventListener('click', (event) => {
    const button = event.target.closest('button');
    for (const [name, act] of Object.entries(clicks)) if (button?.dataset[name]) act(button.dataset[name]);
  });
  const theme = byId('theme');
  theme.value = window.hearthTheme.remembered();
  theme.addEventListener('change', () => { window.hearthTheme.choose(theme.value); charts.redraw(); });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => charts.redraw());
  addEventListener('hashchange', () => {
    view = parseView(location.hash, recall('unit'));
    change({});
  });
  document.addEventListener('visibilitychange', () => (document.hidden ? clearTimeout(polling) : poll()));
}

/* Without uPlot: what the server drew for who has no JavaScript. */
function fallBack() {
  const still = new DOMParser().parseFromString(byId('still').textContent, 'text/html');
  byId('waiting').replaceWith(element('p', { class: 'soft' },
    'This server was built without the chart library, so here is a drawing of the last days.'), ...still.body.childNodes);
}

byId('waiting').hidden = false; // who has no script is not told to wait
if (available()) {
  listen();
  poll();
} else {
  fallBack();
}
