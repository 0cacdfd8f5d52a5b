// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import test from 'node:test';
import { atTurnEnd, holdForTurn } from './turn-writes.ts';

test('what is written in a turn goes out at its end, in order, and a socket that is gone does no harm', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [peer] = (await once(server, 'connection')) as [Socket];
  const gone = connect((server.address() as AddressInfo).port, '127.0.0.1');
  await once(gone, 'connect');
  const order: string[] = [];
  holdForTurn(client);
  client.write('one ');
  holdForTurn(client);
  client.write('two');
  holdForTurn(gone);
  gone.destroy();
  atTurnEnd({ onTurnEnd: () => void order.push(`corked ${client.writableCorked}`) });
  assert.equal(client.writableLength, 7);
  const [bytes] = (await once(peer, 'data')) as [Buffer];
  assert.equal(bytes.toString(), 'one two');
  assert.deepEqual(order, ['corked 0']);
  client.destroy();
  server.close();
});
