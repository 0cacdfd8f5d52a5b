// SPDX-License-Identifier: Apache-2.0

/** What is hard to bring about with real sockets; the rest is shown with them in the tests of the upstream client. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { upstreamError } from './upstream-error.ts';

const UNSENT = {
  isSent: false,
  isIdleClose: false,
  isBegun: false,
  hasHead: false,
};

test('a connection that could not be made for want of files or ports of our own says nothing of the model server', () => {
  for (const code of ['EMFILE', 'ENFILE', 'EADDRNOTAVAIL', 'ENOBUFS']) {
    assert.equal(upstreamError(Object.assign(new Error('connect'), { code }), UNSENT).kind, 'shortage', code);
  }
  for (const code of ['ECONNREFUSED', 'EHOSTUNREACH', 'ENOTFOUND', 'ETIMEDOUT']) {
    assert.equal(upstreamError(Object.assign(new Error('connect'), { code }), UNSENT).kind, 'refused', code);
  }
});
