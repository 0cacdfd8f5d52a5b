// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { leadsTo } from './own-address.ts';

describe('an endpoint', () => {
  it('is the gateway itself when it has its address and port, however they are written', () => {
    for (const [url, host, port] of [
      ['http://127.0.0.1:8080', '127.0.0.1', 8080],
      ['http://localhost:8080/prefix', '127.0.0.1', 8080],
      ['http://127.0.0.1:8080', 'localhost', 8080],
      ['http://[::1]:8080', '::1', 8080],
      ['http://127.0.0.1', '127.0.0.1', 80],
      ['http://127.0.0.1:8080', '0.0.0.0', 8080],
      ['http://127.0.0.9:8080', '::', 8080],
    ] as const)
      assert.ok(leadsTo(url, { host, port }), `${url} is ${host} ${port}`);
  });

  it('is another one on another port or address, or where a name would have to be looked up', () => {
    for (const [url, host, port] of [
      ['http://127.0.0.1:8000', '127.0.0.1', 8080],
      ['http://127.0.0.2:8080', '127.0.0.1', 8080],
      // 192.0.2.0/24 is for documentation: no machine has it.
      ['http://192.0.2.1:8080', '0.0.0.0', 8080],
      ['http://gpu-1:8080', '0.0.0.0', 8080],
      ['https://127.0.0.1', '127.0.0.1', 80],
    ] as const)
      assert.ok(!leadsTo(url, { host, port }), `${url} is not ${host} ${port}`);
  });
});
