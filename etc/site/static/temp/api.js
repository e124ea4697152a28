/*
 * api.js - asks the server. Every answer is revalidated by its ETag, which the browser's cache does.
 */

/* status 0: nobody answered. */
export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

async function problemOf(response) {
  try {
    return (await response.json()).detail ?? response.statusText;
  } catch {
    return response.statusText; // not from Hearth but from what stands in front of it
  }
}

async function get(path, signal) {
  let response;
  try {
    response = await fetch(path, { signal, cache: 'no-cache', headers: { Accept: 'application/json' } });
  } catch (error) {
    throw error.name === 'AbortError' ? error : new Refused(0, error.message);
  }
  if (!response.ok) throw new Refused(response.status, await problemOf(response));
  return response.json();
}

function query(parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined);
  return new URLSearchParams(given.map(([key, value]) => [key, String(value)]));
}

export function range(parameters, signal) {
  return get(`/api/v1/range?${query(parameters)}`, signal);
}

export function latest(unit, signal) {
  return get(`/api/v1/latest?${query({ unit })}`, signal);
}

export function series(signal) {
  return get('/api/v1/series', signal);
}
