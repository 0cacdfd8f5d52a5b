// SPDX-License-Identifier: Apache-2.0

/** The page of `fairlead simulate --html`, looked at in a browser. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { noBrowser, startBrowser } from '../kit/browser.ts';
import type { StartedBrowser } from '../kit/browser.ts';

const root = path.resolve(import.meta.dirname, '../..');
const main = path.join(root, 'packages/fairlead/src/cli/main.ts');

describe('The page of a simulation', { skip: noBrowser }, () => {
  let folder: string;
  let file: string;
  let browser: StartedBrowser | undefined;

  before(async () => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'fairlead-page-'));
    file = path.join(folder, 'out.html');
    const words = ['simulate', 'examples/scenarios/noisy-neighbour.yaml', '--html', file];
    const { status, stderr } = spawnSync(process.execPath, ['--conditions=development', main, ...words], { cwd: root });
    assert.equal(status, 0, String(stderr));
    browser = await startBrowser();
  });
  after(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true });
  });

  it('shows its figures and its table, without a complaint of the browser and without asking for anything', async () => {
    const page = await browser!.context.newPage();
    const said: string[] = [];
    const asked: string[] = [];
    page.on('console', (message) => said.push(message.text()));
    page.on('pageerror', (error) => said.push(String(error)));
    page.on('request', (request) => asked.push(request.url()));
    const address = pathToFileURL(file).href;
    await page.goto(address);
    assert.equal(await page.title(), 'noisy-neighbour.yaml – fairlead simulate');
    assert.deepEqual(await page.locator('tbody td:first-child').allTextContents(), ['interactive', 'batch']);
    const figures = await page.locator('figure svg').all();
    assert.equal(figures.length, 5);
    for (const figure of figures) {
      const lines = await figure.locator('path').all();
      assert.ok(lines.length > 0);
      const frame = await figure.boundingBox();
      for (const line of lines) {
        const drawn = await line.boundingBox();
        assert.ok(frame !== null && drawn !== null && drawn.width > 0.8 * frame.width, 'a line from left to right');
        assert.ok(drawn.y >= frame.y && drawn.y + drawn.height <= frame.y + frame.height, 'and within its figure');
      }
    }
    assert.deepEqual({ said, asked }, { said: [], asked: [address] });
    await page.close();
  });

  it('fits a narrow window', async () => {
    const page = await browser!.context.newPage();
    await page.setViewportSize({ width: 390, height: 800 });
    await page.goto(pathToFileURL(file).href);
    // A text, because the types of the browser are not those of this program.
    assert.equal(await page.evaluate('document.documentElement.scrollWidth <= window.innerWidth'), true);
    await page.close();
  });
});
