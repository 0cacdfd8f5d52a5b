// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HeaderBlock, UnwritableRequest } from './header-block.ts';

describe('headers on their way out', () => {
  it('are lines in the order given, the authorization apart, without what speaks of a connection', () => {
    const block = new HeaderBlock(['X-One', '1', 'Host', 'a', 'Authorization', 'b', 'te', 'x', 'X-One', 'caf\xe9\t']);
    assert.equal(block.lines, 'X-One: 1\r\nte: x\r\nX-One: caf\xe9\t\r\n');
    assert.equal(block.authorization, 'Authorization: b\r\n');
  });

  it('are refused when one cannot be written', () => {
    for (const headers of [
      ['x-bad', 'a\nb'],
      ['x-bad', 'a\r\nb: c'],
      ['x-bad', '\u0100'],
      ['authorization', '\0'],
      ['x bad', '1'],
      ['', '1'],
    ]) {
      assert.throws(() => new HeaderBlock(headers), UnwritableRequest);
    }
  });
});
