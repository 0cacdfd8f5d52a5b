// SPDX-License-Identifier: Apache-2.0

/** A bare `node:http` server that never answers a POST: what a crowd of clients that leave costs without a gateway. */

import { createServer } from 'node:http';
import { tellListening } from './part.ts';

const server = createServer({ noDelay: true }, (request, response) => {
  request.resume();
  if (request.method === 'GET') response.end('ok');
});

await tellListening([server]);
