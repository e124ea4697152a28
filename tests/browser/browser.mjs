/*
 * browser.mjs - the frame of the browser stories: one Chromium, and what is watched in every story.
 *
 *   node dashboard.mjs STORY      environment: BASE (the site), SHOTS (for pictures), STORE (what is stored)
 *
 * A story fails when it throws, when the page writes an error to the console that the story did not expect,
 * and when anything is asked of another host.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createRequire } from 'node:module';

const require = createRequire(path.join(process.env.NODE_PACKAGES, 'package.json'));
const { chromium } = require('playwright-core');
export const axeScript = require.resolve('axe-core/axe.min.js');
export const base = process.env.BASE;

const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];

/* A page that is watched. `options` are those of a browser context; `expected`: messages that may come. */
export async function openPage(context, target = '/temp', { expected = [], before } = {}) {
  const page = await context.newPage();
  const troubles = [];
  const note = (text) => expected.some((part) => text.includes(part)) || troubles.push(text);
  page.on('console', (message) => message.type() === 'error' && note(message.text()));
  page.on('pageerror', (error) => note(String(error.stack)));
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(`${base}/`) && !url.startsWith('data:')) troubles.push(`asked for ${url}`);
  });
  page.troubles = troubles;
  await before?.(page);
  await page.goto(base + target);
  return page;
}

/* Waits until what is asked for is drawn. */
export async function settled(page) {
  await page.waitForFunction(() => {
    const plots = document.getElementById('plots');
    return plots.dataset.loaded && plots.getAttribute('aria-busy') === 'false' && !plots.dataset.resting;
  }, null, { timeout: 20000 });
}

export async function picture(page, name) {
  const directory = process.env.SHOTS;
  fs.mkdirSync(directory, { recursive: true });
  await page.screenshot({ path: path.join(directory, `${name}.png`), fullPage: true });
}

export function keep(name, text) {
  fs.mkdirSync(process.env.SHOTS, { recursive: true });
  fs.writeFileSync(path.join(process.env.SHOTS, name), text);
}

export async function json(target) {
  const response = await fetch(base + target);
  assert.equal(response.status, 200, target);
  return response.json();
}

/* Runs the story that is named; each gets a browser with a profile of its own. */
export async function runStory(stories) {
  const name = process.argv[2];
  assert.ok(stories[name], `no story ${name}`);
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'hearth-browser-'));
  const pages = [];
  let context;
  const open = async (options = {}, target, watched) => {
    await context?.close();
    context = await chromium.launchPersistentContext(profile, {
      executablePath: process.env.CHROMIUM, args: FLAGS, viewport: { width: 1280, height: 900 }, locale: 'en-US', ...options,
    });
    const page = await openPage(context, target, watched);
    pages.push(page);
    return page;
  };
  try {
    await stories[name](open);
    for (const page of pages) assert.deepEqual(page.troubles, []);
  } catch (error) {
    console.log(error.stack);
    process.exitCode = 1;
  } finally {
    await context?.close();
    fs.rmSync(profile, { recursive: true, force: true });
  }
}
