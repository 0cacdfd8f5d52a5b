// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { IrregularFile, readBounded, readBoundedOfAny, readBoundedSync } from './bounded-file.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'fairlead-bounded-'));
after(() => rmSync(folder, { recursive: true }));

const pipe = path.join(folder, 'pipe');
execFileSync('mkfifo', [pipe]);

const regular = path.join(folder, 'regular');
writeFileSync(regular, 'abcdef');

describe('a bounded file', () => {
  it('is read up to one byte more than is allowed', async () => {
    for (const [max, text] of [
      [10, 'abcdef'],
      [6, 'abcdef'],
      [3, 'abcd'],
    ] as const) {
      assert.equal((await readBounded(regular, max)).toString(), text);
      assert.equal(readBoundedSync(regular, max).toString(), text);
      assert.equal((await readBoundedOfAny(regular, max)).toString(), text);
    }
  });

  it('is no pipe that nobody writes into, and no device that never ends', async () => {
    for (const file of [pipe, '/dev/zero', '/dev/null']) {
      await assert.rejects(readBounded(file, 10), IrregularFile, file);
      assert.throws(() => readBoundedSync(file, 10), IrregularFile, file);
    }
    await assert.rejects(readBounded(folder, 10), { code: 'EISDIR' });
    assert.throws(() => readBoundedSync(folder, 10), { code: 'EISDIR' });
  });

  it('of any kind is bounded as well', async () => {
    assert.equal((await readBoundedOfAny('/dev/zero', 10)).length, 11);
  });
});
