// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isLoopback, isLoopbackHost } from './loopback.ts';

test('loopback addresses are 127.0.0.0/8 and ::1, however they are written, and no others', () => {
  for (const address of ['127.0.0.1', '127.255.0.9', '::1', '::ffff:127.0.0.1'])
    assert.ok(isLoopback(address), address);
  for (const address of [
    '',
    'localhost',
    '10.0.0.1',
    '0.0.0.0',
    '::',
    '::2',
    '::ffff:10.0.0.1',
    '128.0.0.1',
    '127.0.0',
  ]) {
    assert.ok(!isLoopback(address), address);
  }
});

test('a Host header is loopback by its name alone, never by what surrounds it', () => {
  for (const host of ['localhost', 'localhost:9090', '127.0.0.1:1', '[::1]', '[::1]:9090'])
    assert.ok(isLoopbackHost(host), host);
  for (const host of [
    '',
    'evil.test',
    'localhost.evil.test',
    'evil.test@127.0.0.1',
    '127.0.0.1/x',
    'localhost#',
    '[::2]',
  ]) {
    assert.ok(!isLoopbackHost(host), host);
  }
});
