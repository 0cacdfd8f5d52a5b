// SPDX-License-Identifier: Apache-2.0

/**
 * Pages are used, not only read: their links lead somewhere, the configurations they show load, and the commands they say
 * can be run are run.
 */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import test from 'node:test';
import { loadConfig } from '../packages/fairlead/src/config/load.ts';
import { configFields } from '../packages/fairlead/src/config/schema.ts';
import { anchorsOf, configurationsOf, linksOf, pages, root, runnableBlocks } from './kit/pages.ts';

const all = pages();
const sections = Object.keys(configFields);

test('every link between pages leads to a file, and to a heading of it where it names one', () => {
  const broken = all.flatMap((page) => linksOf(page).flatMap((target) => problemOf(page.name, target)));
  assert.deepEqual(broken, []);
});

function problemOf(from: string, target: string): string[] {
  if (/^(https?:|mailto:)/.test(target)) return [];
  const [file = '', heading] = target.split('#');
  const found = path.join(root, file === '' ? from : path.join(path.dirname(from), file));
  if (!existsSync(found)) return [`${from} links to ${target}, which is not there`];
  if (heading === undefined || heading === '') return [];
  const known = found.endsWith('.md') && anchorsOf(readFileSync(found, 'utf8')).has(heading);
  return known ? [] : [`${from} links to ${target}, and there is no such heading`];
}

test('every page of docs/ is linked from the README', () => {
  const readme = all.find(({ name }) => name === 'README.md');
  assert.ok(readme);
  const linked = new Set(linksOf(readme).map((target) => target.split('#')[0]));
  const unlinked = all.filter(({ name }) => /^docs\/[^/]+\.md$/.test(name) && !linked.has(name));
  assert.deepEqual(
    unlinked.map(({ name }) => name),
    [],
  );
});

for (const page of all) {
  for (const [index, block] of runnableBlocks(page).entries()) {
    test(`the commands of ${page.name}, block ${index + 1}, run as they stand`, { timeout: 60_000 }, async (t) => {
      const folder = mkdtempSync(path.join(os.tmpdir(), 'fairlead-page-'));
      t.after(() => rmSync(folder, { recursive: true, force: true }));
      const script = await withFreePorts(block.commands);
      const { code, output } = await shell(script, { folder, cwd: block.inCheckout ? root : folder, signal: t.signal });
      assert.equal(code, 0, output);
    });
  }
}

for (const page of all) {
  for (const [index, text] of configurationsOf(page, sections).entries()) {
    test(`the configuration of ${page.name}, block ${index + 1}, loads`, async () => {
      const { problems } = await loadConfig({ text, defaults: 'serve' });
      assert.deepEqual(problems, undefined);
    });
  }
}

test('some page has commands that are run, and some a configuration', () => {
  assert.ok(all.some((page) => configurationsOf(page, sections).length > 0));
  assert.ok(all.some((page) => runnableBlocks(page).length > 0));
});

interface Place {
  /** Empty; `fairlead` is put there. */
  readonly folder: string;
  readonly cwd: string;
  readonly signal: AbortSignal;
}

/**
 * Runs a block by bash, which stops at the first command that fails. Whatever it left running ends with it, and has to
 * have ended before this returns, so that nothing of it is left: the whole process group is told, because npm and its
 * shell, told alone, leave what they started behind.
 */
async function shell(block: string, { folder, cwd, signal }: Place): Promise<{ code: number; output: string }> {
  const bin = path.join(folder, 'bin');
  const fairlead = path.join(bin, 'fairlead');
  const main = path.join(root, 'packages/fairlead/src/cli/main.ts');
  mkdirSync(bin);
  writeFileSync(fairlead, `#!/bin/sh\nexec "${process.execPath}" --conditions=development "${main}" "$@"\n`);
  chmodSync(fairlead, 0o755);
  const script = [
    'set -euo pipefail',
    `PATH="${bin}:$PATH"`,
    `trap 'status=$?; trap "" TERM; kill 0; wait; exit $status' EXIT`,
    block,
  ].join('\n');
  const child = spawn('bash', ['-c', script], { cwd, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  signal.addEventListener('abort', () => {
    if (child.exitCode === null) process.kill(-child.pid!, 'SIGKILL');
  });
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  return { code: child.exitCode ?? 1, output: `${output}\n${errors}` };
}

/** Each port that the block names, replaced by one that is free here. */
async function withFreePorts(block: string): Promise<string> {
  let replaced = block;
  for (const port of new Set(block.match(/\b[89][0-9]{3}\b/g))) {
    replaced = replaced.replaceAll(new RegExp(`\\b${port}\\b`, 'g'), String(await freePort()));
  }
  return replaced;
}

async function freePort(): Promise<number> {
  const server = net.createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}
