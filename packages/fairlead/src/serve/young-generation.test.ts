// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';

/** Objects that stay, made in turns with a pause in between: as many streams are opened one after another. */
const CROWD = `
import { boundYoungGeneration, youngBytes } from ${JSON.stringify(new URL('young-generation.ts', import.meta.url).href)};
if (process.argv[1] === 'bounded') boundYoungGeneration();
const kept = [];
let most = 0;
for (let turn = 0; turn < 300; turn += 1) {
  for (let each = 0; each < 1000; each += 1) kept.push(JSON.parse('{"one":1.5,"more":[1,{"two":2.5}],"all":[1,2,3,4,5,6]}'));
  await new Promise((resolve) => setTimeout(resolve, 4));
  most = Math.max(most, youngBytes());
}
console.log(most);
`;

const MB = 1024 * 1024;

test('the memory for new objects stays small while there are pauses, however many objects stay', async () => {
  const free = await mostBytes('free');
  const bounded = await mostBytes('bounded');
  assert.ok(1.5 * bounded < free, `bounded it takes ${bounded / MB} MB, by itself ${free / MB} MB`);
});

async function mostBytes(kind: 'bounded' | 'free'): Promise<number> {
  const words = ['--conditions=development', '--input-type=module', '--eval', CROWD, kind];
  const { stdout } = await promisify(execFile)(process.execPath, words, { timeout: 60_000 });
  return Number(stdout);
}
