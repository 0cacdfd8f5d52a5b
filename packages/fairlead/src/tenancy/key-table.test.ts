// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { timingSafeEqual } from 'node:crypto';
import { describe, it } from 'node:test';
import { hashKey } from './hash-key.ts';
import { KeyTable } from './key-table.ts';
import { presentedDigest } from './presented.ts';

describe('a key table', () => {
  it('finds each of ten thousand keys with one comparison, and no stranger with any', () => {
    let comparisons = 0;
    const names = Array.from({ length: 10_000 }, (_, index) => `flk_${index}`);
    const table = new KeyTable(
      names.map((name) => [hashKey(name), name] as const),
      (a, b) => {
        comparisons += 1;
        return timingSafeEqual(a, b);
      },
    );
    for (const name of names) assert.equal(table.find(presentedDigest(name)), name);
    assert.equal(comparisons, names.length);
    for (const name of names) assert.equal(table.find(presentedDigest(`${name}x`)), undefined);
    assert.equal(comparisons, names.length);
  });

  it('is decided by the whole digest, not by the part that it is looked up by', () => {
    const digest = hashKey('sk-a');
    const last = digest.endsWith('0') ? '1' : '0';
    const other = digest.slice(0, -1) + last;
    assert.equal(new KeyTable([[other, 'b']]).find(digest), undefined);
    const both = new KeyTable([
      [digest, 'a'],
      [other, 'b'],
    ]);
    assert.deepEqual([both.find(digest), both.find(other)], ['a', 'b']);
  });

  it('takes digests in capitals', () => {
    assert.equal(new KeyTable([[hashKey('sk-a').toUpperCase(), 'a']]).find(presentedDigest('sk-a')), 'a');
    assert.equal(new KeyTable([]).isEmpty, true);
  });
});
