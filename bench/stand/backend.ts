// SPDX-License-Identifier: Apache-2.0

/**
 * A model server that costs next to nothing: bare sockets, answers that are bytes already. It knows just enough HTTP
 * for the clients of these measurements: heads that come in one piece, bodies with a length.
 */

import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { DONE_EVENT, JSON_ANSWER, MODEL_LIST, STREAM_HEAD, chunked, tokenEvent, whole } from './messages.ts';
import { metricsPage } from './metrics-text.ts';
import { partOptions, tellListening } from './part.ts';

export interface BackendOptions {
  /** Servers, each on a port of its own. */
  readonly servers: number;
  /** `stream`: `tokens` events, the first at once, the others `intervalMs` apart. `none`: requests stay unanswered. */
  readonly answer: 'json' | 'stream' | 'none';
  readonly tokens?: number;
  readonly intervalMs?: number;
  /** Size of the metrics page, about; the least there is by default. */
  readonly metricsBytes?: number;
}

const options = partOptions<BackendOptions>();
const { tokens = 1, intervalMs = 1 } = options;
const [pageHead, pageRest] = metricsPage(options.metricsBytes ?? 0);
const json = whole('application/json', JSON_ANSWER);
const models = whole('application/json', MODEL_LIST);
const health = whole('text/plain', 'ok');
const firstToken = Buffer.concat([STREAM_HEAD, chunked(tokenEvent(0))]);
const token = chunked(tokenEvent(1));
const lastToken = Buffer.concat([chunked(tokenEvent(2)), chunked(DONE_EVENT), chunked('')]);

class Backend {
  readonly server: Server;
  #running = 0;

  constructor() {
    this.server = createServer({ noDelay: true }, (socket) => this.#serve(socket));
  }

  #serve(socket: Socket): void {
    let bodyLeft = 0;
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      if (bodyLeft > 0) {
        bodyLeft -= chunk.length;
      } else {
        const head = chunk.toString('latin1', 0, 2048);
        if (head.startsWith('GET ')) {
          this.#get(socket, head);
          return;
        }
        const end = head.indexOf('\r\n\r\n');
        const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
        bodyLeft = length - (chunk.length - end - 4);
      }
      if (bodyLeft === 0) this.#answer(socket);
    });
  }

  #get(socket: Socket, head: string): void {
    if (head.startsWith('GET /metrics')) {
      const text = `${pageHead}${this.#running}${pageRest}`;
      socket.write(
        `HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: ${text.length}\r\n\r\n${text}`,
        'latin1',
      );
    } else socket.write(head.startsWith('GET /v1/models') ? models : health);
  }

  #answer(socket: Socket): void {
    if (options.answer === 'json') socket.write(json);
    else {
      this.#running += 1;
      if (options.answer === 'stream') this.#stream(socket);
      else socket.once('close', () => (this.#running -= 1));
    }
  }

  #stream(socket: Socket): void {
    let sent = 1;
    const over = (): void => {
      clearInterval(timer);
      socket.off('close', over);
      this.#running -= 1;
    };
    const timer = setInterval(() => {
      sent += 1;
      socket.write(sent < tokens ? token : lastToken);
      if (sent >= tokens) over();
    }, intervalMs);
    socket.on('close', over);
    socket.write(firstToken);
  }
}

await tellListening(Array.from({ length: options.servers }, () => new Backend().server));
