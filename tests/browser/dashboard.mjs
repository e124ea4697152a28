/*
 * dashboard.mjs - stories of the dashboard, told to a real browser by test_dashboard.py.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { axeScript, base, json, keep, picture, runStory, settled } from './browser.mjs';

const HOUR = 3600000, DAY = 24 * HOUR, YEAR = 365.25 * DAY;

/* ---- What the page shows ---- */

function degrees(value) {
  return value === null ? '–' : `${value.toFixed(1).replace('-', '\u2212').replace(/^\u2212(0\.0)$/, '$1')}°`;
}

function percent(value) {
  return value === null ? '–' : `${value}\u202f%`;
}

async function spanOf(page) {
  const [from, to] = (await page.getAttribute('#plots', 'data-loaded')).split('..').map(Number);
  return { from, to, length: to - from };
}

async function plotBox(page) {
  return page.locator('.pad').first().boundingBox();
}

async function pressed(page, selector) {
  return page.locator(`${selector}[aria-pressed=true]`).evaluateAll((all) => all.map((one) => ({ ...one.dataset })));
}

/* Does what changes the span; gives back the answer that was drawn for it, and how long that took. */
async function step(page, act) {
  const began = performance.now();
  const [response] = await Promise.all([
    page.waitForResponse((one) => one.url().includes('/api/v1/range') && one.status() === 200, { timeout: 20000 }), act()]);
  await settled(page);
  const timing = response.request().timing();
  return { answer: await response.json(), url: response.url(), request: timing.responseEnd, whole: performance.now() - began };
}

/* How many points of the first plot's canvas are not empty. */
function ink(page) {
  return page.evaluate(() => {
    const canvas = document.querySelector('#plots canvas');
    if (!canvas) return 0;
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let i = 3; i < data.length; i += 4) count += data[i] > 0;
    return count;
  });
}

const stories = {};

/* ---- Moving through time ---- */

stories.zoom = async (open) => {
  const page = await open();
  await settled(page);
  const steps = [];
  const record = async (how, act) => {
    const { request, whole } = await step(page, act);
    const span = await spanOf(page);
    steps.push({ how, hours: span.length / HOUR, request_ms: Math.round(request * 10) / 10, drawn_ms: Math.round(whole) });
    assert.ok(await ink(page) > 1000, `${how}: nothing is drawn`);
    return span;
  };
  let span = await record('all', () => page.click('[data-span=all]'));
  const years = Number(process.env.STORE_YEARS ?? 10);
  assert.ok(span.length > (years - 0.2) * YEAR, `${span.length / YEAR} years`);

  const box = await plotBox(page), middle = [box.x + box.width * 0.7, box.y + box.height * 0.5];
  await page.mouse.move(...middle);
  while (span.length > 1.1 * HOUR) span = await record('wheel in', () => page.mouse.wheel(0, -400));
  await picture(page, 'zoomed-to-an-hour');
  await page.focus('#plots');
  while (span.length < (years - 1) * YEAR) span = await record('key -', () => page.keyboard.press('-'));
  span = await record('key 0', () => page.keyboard.press('0'));
  assert.equal((await pressed(page, '[data-span]'))[0].span, 'all');

  for (let i = 0; i < 6 && span.length > HOUR; i++) {
    const before = span;
    span = await record('pick', async () => {
      await page.keyboard.down('Shift');
      await page.mouse.move(box.x + box.width * 0.6, middle[1]);
      await page.mouse.down();
      await page.mouse.move(box.x + box.width * 0.65, middle[1], { steps: 4 });
      await page.mouse.move(box.x + box.width * 0.7, middle[1], { steps: 4 });
      await page.mouse.up();
      await page.keyboard.up('Shift');
    });
    assert.ok(span.from >= before.from && span.to <= before.to, 'the span that was picked lies in the one before');
    assert.ok(span.length < before.length * 0.2);
  }
  keep('zoom-times.json', `${JSON.stringify(steps, null, 1)}\n`);
  const slowest = steps.reduce((a, b) => (a.request_ms > b.request_ms ? a : b));
  const middleOf = steps.map((one) => one.request_ms).sort((a, b) => a - b)[steps.length >> 1];
  console.log(`${steps.length} steps; request: median ${middleOf} ms, slowest ${slowest.request_ms} ms (${slowest.how}, ` +
    `${Math.round(slowest.hours)} h)`);
  assert.ok(slowest.request_ms < 5000, JSON.stringify(slowest));
};

stories.drag = async (open) => {
  const page = await open({}, '/temp#span=week');
  await settled(page);
  const before = await spanOf(page), box = await plotBox(page);
  await step(page, async () => {
    await page.mouse.move(box.x + box.width * 0.3, box.y + 50);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.8, box.y + 60, { steps: 8 });
    await page.mouse.up();
  });
  const after = await spanOf(page);
  const moved = (before.from - after.from) / before.length;
  assert.ok(Math.abs(moved - 0.5) < 0.02, `half a plot to the right is half a span back, not ${moved}`);
  assert.ok(Math.abs(after.length - before.length) < 10);
  await page.focus('#plots');
  await step(page, () => page.keyboard.press('ArrowLeft'));
  assert.ok((await spanOf(page)).from < after.from);
  await step(page, () => page.keyboard.press('End'));
  assert.ok((await spanOf(page)).to > after.to);
  await step(page, () => page.keyboard.press('Home'));
  const { series } = await json('/api/v1/series');
  const first = Math.min(...series.filter((one) => one.count > 0).map((one) => one.first));
  const begin = await spanOf(page);
  assert.ok(begin.from <= first && first < begin.to, 'Home leads to the first reading');
  // There is nothing before it, and the page can be scrolled on: the span stays.
  await page.keyboard.press('PageUp');
  await page.keyboard.press('PageUp');
  await page.waitForTimeout(400);
  await settled(page);
  assert.ok((await spanOf(page)).to > first);
};

stories.pinch = async (open) => {
  const page = await open({ hasTouch: true, isMobile: true, viewport: { width: 390, height: 800 } }, '/temp#span=week');
  await settled(page);
  await page.evaluate(() => document.getElementById('plots').scrollIntoView({ block: 'center' }));
  const before = await spanOf(page), box = await plotBox(page), y = box.y + box.height / 2;
  const touch = await page.context().newCDPSession(page);
  const fingers = (...at) => at.map((x, id) => ({ x: box.x + box.width * x, y, id }));
  await step(page, async () => {
    await touch.send('Input.dispatchTouchEvent', { type: 'touchStart', touchPoints: fingers(0.4, 0.6) });
    for (let i = 1; i <= 8; i++)
      await touch.send('Input.dispatchTouchEvent', { type: 'touchMove', touchPoints: fingers(0.4 - i * 0.025, 0.6 + i * 0.025) });
    await touch.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] });
  });
  const after = await spanOf(page), share = after.length / before.length;
  assert.ok(share > 0.3 && share < 0.37, `fingers three times as far apart show a third, not ${share}`);
  const centre = (span) => span.from + span.length / 2;
  assert.ok(Math.abs(centre(after) - centre(before)) < before.length * 0.02, 'what was between the fingers stays');
};

stories.overtaken = async (open) => {
  const page = await open({}, '/temp#span=week');
  await settled(page);
  const lost = [];
  page.on('requestfailed', (request) => lost.push(request.failure().errorText));
  await page.route('**/api/v1/range*', async (route) => {
    await new Promise((resolve) => setTimeout(resolve, 600));
    await route.continue().catch(() => {});
  });
  const before = await ink(page);
  await page.focus('#plots');
  for (let i = 0; i < 4; i++) {
    await page.keyboard.press('+');
    await page.waitForTimeout(200);
    assert.ok(await ink(page) > before / 20, 'the old lines stay until the new ones are there');
  }
  await settled(page);
  assert.ok(lost.length >= 2 && lost.every((why) => why.includes('ABORTED')), `given up: ${lost}`);
  assert.ok(Math.abs((await spanOf(page)).length - (7 * DAY) / 16) < HOUR);
};

/* ---- Numbers ---- */

stories.numbers = async (open) => {
  const page = await open({ timezoneId: 'Asia/Tokyo' });
  await settled(page);
  const { answer, url } = await step(page, () => page.click('[data-span=day]'));
  assert.deepEqual((await json(url.slice(base.length))).series.map((one) => one.id), answer.series.map((one) => one.id));
  const { series: latest } = await json('/api/v1/latest');
  const tiles = await page.locator('.tile').evaluateAll((all) => all.map((tile) => [tile.dataset.id,
    tile.querySelector('b').textContent, tile.querySelector('.wet')?.textContent ?? null]));
  assert.ok(tiles.length > 0);
  for (const [id, warm, wet] of tiles) {
    const one = latest.find((each) => each.id === id);
    assert.equal(warm, degrees(one.temperature), id);
    assert.equal(wet, one.humidity === null ? null : percent(one.humidity), id);
  }
  const rows = await page.locator('#sensors tbody tr').evaluateAll((all) => all.map((row) => [row.dataset.id,
    ...[...row.cells].map((cell) => cell.textContent)]));
  for (const [id, , , low, high] of rows) {
    const { temperature } = answer.series.find((each) => each.id === id) ?? { temperature: { min: [], max: [] } };
    const known = (values) => values.filter((value) => value !== null);
    assert.equal(low, degrees(known(temperature.min).length ? Math.min(...known(temperature.min)) : null), id);
    assert.equal(high, degrees(known(temperature.max).length ? Math.max(...known(temperature.max)) : null), id);
  }
  await hover(page, answer);
};

/* The readout says what the answer has in the bucket under the pointer. */
async function hover(page, answer) {
  const box = await plotBox(page);
  for (const share of [0.2, 0.55, 0.9]) {
    await page.mouse.move(box.x + box.width * share, box.y + 80);
    await page.waitForSelector('#readout:not([hidden])');
    const at = (Math.round(box.x + box.width * share) - box.x) / box.width;
    const index = Math.floor(at * answer.times.length);
    const shown = await page.locator('#readout tr').evaluateAll((all) => all.map((row) => [row.dataset.id,
      row.cells[1].lastChild.textContent, row.cells[2].lastChild.textContent]));
    assert.ok(shown.length > 0, `nothing at ${share}`);
    for (const [id, warm, wet] of shown) {
      const one = answer.series.find((each) => each.id === id);
      // The pointer is on a whole pixel, a bucket may begin a part of one earlier.
      const near = [index - 1, index, index + 1];
      assert.ok(near.some((i) => warm === degrees(one.temperature.last[i])), `${id} ${warm} at ${share}`);
      assert.ok(near.some((i) => wet === percent(one.humidity.last[i])), `${id} ${wet} at ${share}`);
    }
  }
}

stories.table = async (open) => {
  const page = await open({}, '/temp#span=week');
  await settled(page);
  const asked = page.waitForResponse((response) => response.url().includes('fn=mean'));
  await page.click('[data-show=table]');
  const means = await (await asked).json();
  await page.waitForSelector('#cells tbody tr');
  assert.ok(await page.isHidden('#plots'));
  const cells = await page.locator('#cells tbody tr').evaluateAll((all) => all.map((row) => [...row.cells].map((cell) => cell.textContent)));
  assert.equal(cells.length, means.times.filter((time, i) => means.series.some((one) => one.temperature.mean[i] !== null)).length);
  means.series.forEach((one, column) => {
    const newest = one.temperature.mean.findLastIndex((value, i) => means.series.some((each) => each.temperature.mean[i] !== null));
    if (one.temperature.mean[newest] !== null)
      assert.ok(cells[0][column + 1].startsWith(degrees(one.temperature.mean[newest])), `${one.id}: ${cells[0][column + 1]}`);
  });
  await picture(page, 'table');
  await page.click('[data-show=chart]');
  await settled(page);
  assert.ok(await page.isVisible('#plots'));
};

/* ---- Choices ---- */

stories.toggles = async (open) => {
  const page = await open({}, '/temp#span=day');
  await settled(page);
  const before = await ink(page), tiles = page.locator('.tile');
  const count = await tiles.count();
  const id = await tiles.first().getAttribute('data-id');
  await tiles.first().focus();
  await page.keyboard.press('Enter');
  assert.equal(await tiles.first().getAttribute('aria-pressed'), 'false');
  assert.ok(await tiles.first().evaluate((tile) => tile === document.activeElement), 'the focus stays');
  await page.waitForTimeout(100);
  assert.notEqual(await ink(page), before);
  assert.ok(page.url().includes(`hide=${id}`));
  for (let i = 1; i < count; i++) await tiles.nth(i).click();
  assert.equal(await page.textContent('#nothing'), 'All sensors are switched off.');
  await tiles.first().click();
  assert.ok(await page.isHidden('#nothing'));
  await page.waitForTimeout(100);
  assert.ok(await ink(page) > 100);
};

stories.units = async (open) => {
  const page = await open({}, '/temp#span=week');
  await settled(page);
  const { answer } = await step(page, () => page.click('[data-unit=C]'));
  assert.ok(answer.series.every((one) => one.unit === 'C'));
  assert.equal(await page.textContent('.plot .unit'), '°C');
  const { series } = await json('/api/v1/latest?unit=C');
  await page.waitForFunction((text) => document.querySelector('.tile b').textContent === text, degrees(series[0].temperature));
  await page.goto('about:blank');
  await page.goto(`${base}/temp`);
  await settled(page);
  assert.equal(await page.textContent('.plot .unit'), '°C', 'the unit is remembered');
};

stories.theme = async (open) => {
  const page = await open({ colorScheme: 'light' });
  await settled(page);
  const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await paper();
  await page.selectOption('#theme', 'dark');
  const dark = await paper();
  assert.notEqual(dark, light);
  await page.reload();
  await settled(page);
  assert.equal(await paper(), dark, 'the theme is remembered');
  await page.selectOption('#theme', 'auto');
  assert.equal(await paper(), light);
  await page.emulateMedia({ colorScheme: 'dark' });
  assert.equal(await paper(), dark);
};

stories.link = async (open) => {
  const page = await open({}, '/temp#span=month');
  await settled(page);
  await page.locator('.tile').nth(1).click();
  await step(page, () => page.click('[data-unit=C]'));
  await step(page, () => page.click('[data-zoom="0.5"]'));
  const link = page.url(), span = await spanOf(page);
  const hidden = await page.locator('.tile[aria-pressed=false]').getAttribute('data-id');
  const other = await open({}, link.slice(base.length));
  await settled(other);
  assert.deepEqual(await spanOf(other), span);
  assert.equal(await other.locator('.tile[aria-pressed=false]').getAttribute('data-id'), hidden);
  assert.equal(await other.textContent('.plot .unit'), '°C');
  await other.evaluate(() => { location.hash = '#span=day&unit=F'; });
  await other.waitForFunction(() => document.querySelector('[data-span=day]').getAttribute('aria-pressed') === 'true');
  await settled(other);
  assert.ok(Math.abs((await spanOf(other)).length - DAY) < 10);
};

/* ---- Living on ---- */

stories.refresh = async (open) => {
  const page = await open({}, '/temp#span=day');
  await settled(page);
  const nodes = await page.evaluateHandle(() => document.querySelector('#plots canvas'));
  const time = new Date().toISOString();
  const done = await fetch(`${base}/data`, {
    method: 'PUT', headers: { Authorization: `Bearer ${process.env.TOKEN}` },
    body: JSON.stringify({ time, channel: 16, rolling_code: 255, temperature_F: 123.4, humidity: 77, battery_ok: false }),
  });
  assert.equal(done.status, 200, await done.text());
  await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
  const tile = page.locator('.tile[data-id="16-255"]');
  await tile.waitFor();
  assert.equal(await tile.locator('b').textContent(), '123.4°');
  assert.deepEqual(await tile.locator('.badge').allTextContents(), ['new', 'battery low']);
  await settled(page);
  assert.ok(await nodes.evaluate((canvas) => canvas !== null));
};

stories.unreachable = async (open) => {
  const page = await open({}, '/temp#span=week', { expected: ['Failed to load resource'] });
  await settled(page);
  const before = await ink(page);
  await page.route('**/api/v1/**', (route) => route.abort('connectionrefused'));
  await page.click('[data-span=day]');
  await page.waitForSelector('#notice:not([hidden])');
  assert.match(await page.textContent('#notice'), /^Home is not reachable\. Showing what was read at /);
  assert.ok(await ink(page) > before / 20, 'what was there is still shown');
  await picture(page, 'unreachable');
  await page.unroute('**/api/v1/**');
  await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
  await page.waitForSelector('#notice', { state: 'hidden' });
};

/* ---- Without ---- */

stories.plain = async (open) => {
  const page = await open({ javaScriptEnabled: false });
  assert.ok(await page.locator('svg.chart.temperature path.line').count() > 3);
  assert.ok(await page.isVisible('svg.chart.temperature'));
  assert.ok(await page.locator('table tbody tr').count() > 3);
  assert.ok(await page.isHidden('#dashboard'));
  assert.ok(await page.isHidden('#waiting'), 'nobody asks, so nobody is told to wait');
  await picture(page, 'without-script');
  await page.goto(`${base}/temp?plain=1`);
  assert.ok(await page.isVisible('svg.chart.temperature'));
};

stories.without_uplot = async (open) => {
  const page = await open({}, '/temp', {
    expected: ['Failed to load resource', 'MIME type'],
    before: (made) => made.route('**/static/vendor/**', (route) => route.fulfill({ status: 404, body: '' })),
  });
  await page.waitForSelector('svg.chart.temperature path.line');
  assert.match(await page.textContent('main'), /built without the chart library/);
  await picture(page, 'without-uplot');
};

stories.empty = async (open) => {
  const page = await open();
  await page.waitForSelector('#empty:not([hidden])');
  assert.match(await page.textContent('#empty'), /There is no reading to show yet/);
  assert.ok(await page.isHidden('#waiting'));
  await picture(page, 'empty');
};

stories.one = async (open) => {
  const page = await open();
  await settled(page);
  assert.equal(await page.locator('.tile').count(), 1);
  assert.equal((await pressed(page, '[data-span]'))[0].span, 'all');
  assert.equal(await page.textContent('.tile b'), '74.4°');
  assert.equal(await page.textContent('#sensors tbody td:nth-child(3)'), '74.4°');
  await picture(page, 'one-reading');
};

/* ---- How it looks, and to whom ---- */

stories.accessible = async (open) => {
  for (const [target, colorScheme] of [['/temp#span=week', 'light'], ['/temp#span=week', 'dark'], ['/temp#span=month&show=table', 'light']]) {
    const page = await open({ colorScheme, bypassCSP: true }, target);
    await settled(page);
    await page.addScriptTag({ content: fs.readFileSync(axeScript, 'utf8') });
    const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
    const grave = violations.filter((one) => ['serious', 'critical', 'moderate'].includes(one.impact));
    assert.deepEqual(grave.map((one) => [one.id, one.nodes.map((node) => node.html.slice(0, 160))]), [], `${target} ${colorScheme}`);
  }
};

stories.pictures = async (open) => {
  for (const [width, height] of [[360, 780], [768, 1024], [1440, 900]]) {
    for (const colorScheme of ['light', 'dark']) {
      const phone = width < 500 ? { hasTouch: true, isMobile: true } : {};
      const page = await open({ viewport: { width, height }, colorScheme, reducedMotion: 'reduce', ...phone }, '/temp#span=week');
      await settled(page);
      const box = await plotBox(page);
      if (!phone.isMobile) await page.mouse.move(box.x + box.width * 0.4, box.y + box.height * 0.4);
      await page.waitForTimeout(200);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), width, 'nothing stands out at the side');
      await picture(page, `temp-${width}-${colorScheme}`);
    }
  }
  const page = await open({ viewport: { width: 1440, height: 900 } }, '/temp#span=all');
  await settled(page);
  await picture(page, 'temp-1440-years');
};

await runStory(stories);
