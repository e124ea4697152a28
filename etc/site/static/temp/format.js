/*
 * format.js - numbers, and moments as the station's clock shows them.
 */

export const SECOND = 1000, MINUTE = 60000, HOUR = 3600000, DAY = 86400000;

/* The page is in English; a reader's own kind of English says how dates and hours are written. */
const locale = navigator.languages?.find((language) => /^en\b/.test(language)) ?? 'en';
const made = new Map();
let zone = 'UTC';

export function setZone(name) {
  if (name === zone) return;
  zone = name;
  made.clear();
}

export function zoneName() {
  return zone;
}

function format(options) {
  const key = JSON.stringify(options);
  if (!made.has(key)) made.set(key, new Intl.DateTimeFormat(locale, { timeZone: zone, ...options }));
  return made.get(key);
}

const date = { year: 'numeric', month: 'short', day: 'numeric' };
const minute = { hour: 'numeric', minute: '2-digit' };

/* "Sun, Nov 22, 2026, 14:05", with seconds where two neighbours are less than a minute apart. */
export function moment(ms, apart = MINUTE) {
  const second = apart < MINUTE ? { second: '2-digit' } : {};
  return format({ weekday: 'short', ...date, ...minute, ...second }).format(ms);
}

export function clock(ms) {
  return format(minute).format(ms);
}

/* A bucket of a table, named as finely as it is long. */
export function bucketName(ms, bucket) {
  if (bucket === 'month') return format({ year: 'numeric', month: 'long' }).format(ms);
  if (bucket === 'day') return format({ weekday: 'short', ...date }).format(ms);
  if (bucket === 'week') return `Week of ${format(date).format(ms)}`;
  return moment(ms);
}

/* "Nov 15 – 22, 2026" */
export function spanName(from, to) {
  const options = to - from < 3 * DAY ? { ...date, ...minute } : date;
  return format(options).formatRange(from, to);
}

const lengths = [['year', 365.25 * DAY, 2], ['month', 30.44 * DAY, 2], ['day', DAY, 1], ['hour', HOUR, 1],
  ['minute', MINUTE, 1], ['second', SECOND, 0]]; // from how many on

/* "7 days", "1.5 hours" */
export function lengthName(ms) {
  const [unit, size] = lengths.find(([, each, least]) => ms >= least * each);
  const count = Math.round((ms / size) * 10) / 10;
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}

export function ago(ms) {
  if (ms < 90 * SECOND) return 'just now';
  const [unit, size] = lengths.find(([, each]) => ms >= 1.5 * each);
  const short = { minute: 'min', hour: 'h' }[unit];
  const count = Math.round(ms / size);
  return short ? `${count} ${short} ago` : `${count} ${unit}s ago`;
}

/* ---- Ticks of the time axis: a name for each, and below it what it belongs to where that changes ---- */

/* "6 PM" says it all, "18" does not. */
function halfDays() {
  return format(minute).resolvedOptions().hour12;
}

function tickOptions(step) {
  if (step >= 365 * DAY) return [{ year: 'numeric' }, null];
  if (step >= 28 * DAY) return [{ month: 'short' }, { year: 'numeric' }];
  if (step >= DAY) return [{ month: 'short', day: 'numeric' }, { year: 'numeric' }];
  const context = { weekday: 'short', month: 'short', day: 'numeric' };
  if (step >= HOUR && halfDays()) return [{ hour: 'numeric' }, context];
  return [step < MINUTE ? { ...minute, second: '2-digit' } : minute, context];
}

export function tickNames(moments, step) {
  const [own, context] = tickOptions(step);
  let before = null;
  return moments.map((ms) => {
    if (!context) return format(own).format(ms);
    const around = format(context).format(ms);
    const name = format(own).format(ms) + (around === before ? '' : `\n${around}`);
    before = around;
    return name;
  });
}

/* ---- Values ---- */

/* U+2212 is as wide as a digit; U+202F does not break. */
export function number(value, decimals = 1) {
  if (value === null || value === undefined) return '–';
  return value.toFixed(decimals).replace('-', '\u2212').replace(/^\u2212(0\.?0*)$/, '$1');
}

export function degrees(value) {
  return value === null || value === undefined ? '–' : `${number(value)}°`;
}

export function percent(value, decimals = 0) {
  return value === null || value === undefined ? '–' : `${number(value, decimals)}\u202f%`;
}

export function valueOf(quantity, value) {
  return quantity === 'temperature' ? degrees(value) : percent(value);
}
