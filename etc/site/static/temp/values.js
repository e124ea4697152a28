/*
 * values.js - the span as a table: a row a bucket, a column a series, the mean of each.
 */
import { element } from './dom.js';
import { bucketName, DAY, degrees, HOUR, percent } from './format.js';
import { detailOf, keyOf, nameOf } from './series.js';

/* Hours, days, weeks or months as they are in the station's zone; below that equal parts. */
export function bucketsFor(from, to) {
  const length = to - from;
  if (length <= 4 * HOUR) return { points: 24 };
  if (length <= 3 * DAY) return { bucket: 'hour' };
  if (length <= 100 * DAY) return { bucket: 'day' };
  return { bucket: length <= 800 * DAY ? 'week' : 'month' };
}

function headOf(series) {
  return element('thead', {}, element('tr', {}, element('th', { scope: 'col' }, 'Time'),
    ...series.map((one) => element('th', { scope: 'col', class: 'number', 'data-id': one.id },
      keyOf(one), nameOf(one), one.name ? null : element('small', {}, ` ${detailOf(one)}`)))));
}

function valueOf(one, index) {
  const warm = one.temperature.mean[index], wet = one.humidity.mean[index];
  if (warm === null && wet === null) return element('td', { class: 'number soft' }, '–');
  return element('td', { class: 'number' }, degrees(warm),
    wet === null ? null : element('small', {}, percent(wet)));
}

/* Newest first. `answer`: of fn=mean. */
export function showValues(table, answer, bucket) {
  const order = answer.times.map((time, index) => index).reverse()
    .filter((index) => answer.series.some((one) =>
      one.temperature.mean[index] !== null || one.humidity.mean[index] !== null));
  const rows = order.map((index) => element('tr', {},
    element('th', { scope: 'row' }, bucketName(answer.times[index], bucket)),
    ...answer.series.map((one) => valueOf(one, index))));
  table.replaceChildren(headOf(answer.series), element('tbody', {}, ...rows));
  return rows.length;
}
