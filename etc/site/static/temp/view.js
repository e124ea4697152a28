/*
 * view.js - what is being looked at, and how a link says it.
 *
 *   #span=week                                     a preset: it ends now and moves with time
 *   #from=2026-11-01T00:00:00.000Z&to=...          a span that stays
 *   &unit=C   &hide=freezer,5-107   &show=table
 *
 * `hidden` is a Set of series' ids. A view is never changed, but replaced.
 */
import { DAY, SECOND } from './format.js';

export const SPANS = { day: DAY, week: 7 * DAY, month: 30 * DAY, year: 365 * DAY, all: Infinity };
export const SHORTEST = 10 * SECOND;

function momentOf(text) {
  const ms = text === null ? NaN : Date.parse(text);
  return Number.isFinite(ms) ? ms : null;
}

export function parseView(hash, unit) {
  const words = new URLSearchParams(hash.replace(/^#/, ''));
  const from = momentOf(words.get('from')), to = momentOf(words.get('to'));
  const fixed = from !== null && to !== null && to - from >= SHORTEST;
  const span = Object.hasOwn(SPANS, words.get('span')) ? words.get('span') : 'week';
  return {
    span: fixed ? null : span,
    from: fixed ? from : 0,
    to: fixed ? to : 0,
    unit: ['F', 'C'].includes(words.get('unit')) ? words.get('unit') : unit,
    hidden: new Set((words.get('hide') ?? '').split(',').filter(Boolean)),
    table: words.get('show') === 'table',
  };
}

export function formatView(view) {
  const words = [];
  if (view.span) words.push(`span=${view.span}`);
  else words.push(`from=${new Date(view.from).toISOString()}`, `to=${new Date(view.to).toISOString()}`);
  if (view.unit) words.push(`unit=${view.unit}`);
  if (view.hidden.size > 0) words.push(`hide=${[...view.hidden].map(encodeURIComponent).join(',')}`);
  if (view.table) words.push('show=table');
  return `#${words.join('&')}`;
}

/* A preset ends now; where nothing came within its length, at the newest reading. */
export function placeSpan(view, known) {
  if (!view.span) return view;
  const length = SPANS[view.span];
  if (length === Infinity) {
    const end = known.now - known.last < 30 * DAY ? known.now : known.last + 1;
    const begin = Math.min(known.first, end - DAY / 24), margin = Math.round((end - begin) * 0.015);
    return { ...view, from: begin - margin, to: end + margin };
  }
  const to = known.last > 0 && known.now - known.last > length ? known.last + 1 : known.now;
  return { ...view, from: to - length, to };
}

/* Neither before the first reading nor into the future, but for a little that shows where it ends. */
export function clampSpan(from, to, known) {
  const oldest = Math.min(known.first, known.now - DAY), whole = known.now - oldest;
  const length = Math.min(Math.max(to - from, SHORTEST), whole * 1.06);
  const centre = (from + to) / 2;
  const margin = Math.max(length * 0.03, (length - whole) / 2);
  const begin = Math.max(oldest - margin, Math.min(centre - length / 2, known.now + margin - length));
  return [Math.round(begin), Math.round(begin + length)];
}
