/*
 * series.js - the series: as tiles that switch their lines on and off, and as a table.
 */
import { COLOURS } from './charts.js';
import { element, setText } from './dom.js';
import { ago, degrees, moment, number, percent, SECOND } from './format.js';

export function nameOf(one) {
  return one.name || `Channel ${one.channel}`;
}

/* What tells two of one name apart. */
export function detailOf(one) {
  return one.place || (one.name ? '' : `code ${one.rolling_code}`);
}

export function keyOf(one) {
  const dashed = one.slot >= COLOURS ? ' dashed' : '';
  return element('span', { class: `key s${one.slot % COLOURS}${dashed}`, 'aria-hidden': 'true' });
}

function badgesOf(one) {
  const badges = [];
  if (one.new) badges.push(element('span', { class: 'badge fresh', title: 'Not named yet: hearth series names it' }, 'new'));
  if (one.stale) badges.push(element('span', { class: 'badge stale', title: 'Silent for longer than it should be' }, 'stale'));
  if (one.battery_low) badges.push(element('span', { class: 'badge low' }, 'battery low'));
  return badges;
}

/* ---- Tiles ---- */

function tileOf(one, pressed) {
  return element('button', {
    type: 'button', class: `tile${one.stale ? ' old' : ''}`, 'data-id': one.id, 'aria-pressed': String(pressed),
  },
  element('span', { class: 'what' }, keyOf(one), element('span', { class: 'label' }, nameOf(one)),
    element('small', { class: one.name ? 'place' : null }, detailOf(one))),
  element('span', { class: 'now' }, element('b', {}, degrees(one.temperature)),
    one.humidity === null ? null : element('span', { class: 'wet' }, percent(one.humidity))),
  element('span', { class: 'badges' }, ...badgesOf(one)));
}

/* Keeps the focus where it is: tiles are replaced while a reader walks through them. */
export function showTiles(root, all, hidden) {
  const focused = root.contains(document.activeElement) ? document.activeElement.dataset.id : null;
  root.replaceChildren(...all.map((one) => tileOf(one, !hidden.has(one.id))));
  if (focused) root.querySelector(`[data-id="${CSS.escape(focused)}"]`)?.focus();
}

/* ---- The table ---- */

const headings = [['Sensor'], ['Now', 'number'], ['Lowest', 'number'], ['Highest', 'number'], ['Humidity', 'number'],
  ['Its range', 'number'], ['Last seen'], ['Battery'], ['Signal', 'number'], ['Readings', 'number']];

export function least(values) {
  return values.reduce((low, value) => (value !== null && (low === null || value < low) ? value : low), null);
}

export function greatest(values) {
  return values.reduce((high, value) => (value !== null && (high === null || value > high) ? value : high), null);
}

function cell(text, kind = 'number') {
  return element('td', kind ? { class: kind } : {}, text);
}

function seen(one, now) {
  if (one.time === null || one.time === undefined) return element('td', {}, 'never');
  return element('td', {}, element('time', {
    datetime: new Date(one.time).toISOString(), title: moment(one.time, SECOND), 'data-seen': one.time,
  }, ago(now - one.time)));
}

function rowOf(one, drawn, now) {
  const { temperature, humidity } = drawn ?? {};
  const wet = humidity ? [least(humidity.min), greatest(humidity.max)] : [null, null];
  return element('tr', { 'data-id': one.id },
    element('th', { scope: 'row' }, keyOf(one), nameOf(one), ' ', element('small', {}, detailOf(one)), ...badgesOf(one)),
    cell(degrees(one.temperature)),
    cell(degrees(temperature ? least(temperature.min) : null)),
    cell(degrees(temperature ? greatest(temperature.max) : null)),
    cell(percent(one.humidity)),
    cell(wet[0] === null ? '–' : `${number(wet[0], 0)} … ${percent(wet[1])}`),
    seen(one, now),
    cell(one.battery_low ? 'low' : 'ok', one.battery_low ? 'warn' : ''),
    cell(one.signal_dbm === null ? '–' : `${number(one.signal_dbm, 0)}\u202fdB`),
    cell(one.count.toLocaleString('en')));
}

/* `drawn`: series of the range answer by id, for the least and greatest values of the span. */
export function showTable(table, all, drawn, now) {
  table.replaceChildren(
    element('thead', {}, element('tr', {},
      ...headings.map(([name, kind]) => element('th', { scope: 'col', class: kind ?? null }, name)))),
    element('tbody', {}, ...all.map((one) => rowOf(one, drawn.get(one.id), now))));
}

export function showAges(table, now) {
  for (const time of table.querySelectorAll('time[data-seen]')) setText(time, ago(now - Number(time.dataset.seen)));
}
