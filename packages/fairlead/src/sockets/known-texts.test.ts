// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import test from 'node:test';
import { KnownTexts } from './known-texts.ts';

test('a spelling is worked out once; made-up ones and long ones change nothing of what is said', () => {
  const asked: string[] = [];
  const names = new KnownTexts((name) => {
    asked.push(name);
    return name.toLowerCase();
  });
  assert.deepEqual([names.of('Host'), names.of('host'), names.of('Host')], ['host', 'host', 'host']);
  assert.deepEqual(asked, ['Host', 'host']);
  for (let index = 0; index < 5000; index += 1) assert.equal(names.of(`X-${index}`), `x-${index}`);
  const long = 'X'.repeat(65);
  assert.deepEqual([names.of(long), names.of(long)], [long.toLowerCase(), long.toLowerCase()]);
  assert.equal(asked.filter((name) => name === long).length, 2);
});
