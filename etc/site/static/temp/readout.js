/*
 * readout.js - what the lines say under the pointer.
 */
import { element } from './dom.js';
import { degrees, moment, percent } from './format.js';
import { detailOf, keyOf, nameOf } from './series.js';

const MOST_ROWS = 12;
const WORTH_TELLING = { degrees: 1, percent: 3 }; // how far a value goes within a bucket

/* The last value of the bucket, or the mean of its day or week, and from where to where it went if far. */
function valueCell(column, index, mean, show) {
  const value = mean ?? column.last[index], low = column.min[index], high = column.max[index];
  if (value === null) return element('td', { class: 'number' }, '–');
  const far = high - low >= WORTH_TELLING[show.name];
  const went = far ? element('small', {}, `${show(low)} to ${show(high)} `) : null;
  return element('td', { class: 'number' }, went, show(value));
}

/* Of the day or week that a time lies in. */
function meanAt(means, id, quantity, time) {
  const at = means ? means.times.findLastIndex((begin) => begin <= time) : -1;
  return at < 0 ? null : means.byId.get(id)?.[quantity].mean[at] ?? null;
}

function rowOf(one, index, answer) {
  const cell = (quantity, show) =>
    valueCell(one[quantity], index, meanAt(answer.means, one.id, quantity, answer.times[index]), show);
  return element('tr', { 'data-id': one.id },
    element('th', { scope: 'row' }, keyOf(one), nameOf(one), one.name ? null : element('small', {}, ` ${detailOf(one)}`)),
    cell('temperature', degrees), cell('humidity', percent));
}

function isSilent(one, index) {
  return one.temperature.last[index] === null && one.humidity.last[index] === null;
}

function byValue(index) {
  const value = (one) => one.temperature.last[index] ?? -Infinity;
  return (a, b) => value(b) - value(a);
}

export function createReadout(box, root) {
  let shown = null;

  function place(left, pad) {
    const area = root.getBoundingClientRect(), plot = pad.getBoundingClientRect();
    const at = plot.left - area.left + left, width = box.offsetWidth;
    const right = at + 18 + width <= area.width;
    const start = right ? at + 18 : Math.max(0, at - 18 - width);
    box.style.transform = `translate(${Math.round(start)}px, 8px)`;
  }

  function hide() {
    box.hidden = true;
    shown = null;
  }

  /* `answer`: what is drawn. */
  function show(answer, hidden, index, left, pad) {
    const rows = index === null ? [] : answer.series.filter((one) => !hidden.has(one.id) && !isSilent(one, index));
    if (index === null) return hide();
    if (shown !== index) {
      const apart = (answer.to - answer.from) / answer.times.length;
      box.replaceChildren(element('p', {}, moment(answer.times[index], apart)),
        rows.length === 0 ? element('p', { class: 'soft' }, 'No readings here')
          : element('table', {}, element('tbody', {},
            ...rows.sort(byValue(index)).slice(0, MOST_ROWS).map((one) => rowOf(one, index, answer)))),
        rows.length > MOST_ROWS ? element('p', { class: 'soft' }, `and ${rows.length - MOST_ROWS} more`) : '');
      shown = index;
    }
    box.hidden = false;
    place(left, pad);
  }

  return { show, hide, forget: () => { shown = null; } };
}
