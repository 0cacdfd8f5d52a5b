// SPDX-License-Identifier: Apache-2.0

/**
 * The admin port: `/metrics`, `/healthz`, `/readyz`, `/state`, and `/bypass`, the one thing that can be changed. It is
 * read-only for everyone who reaches it; `/bypass` is for whoever sits on the machine, and for them only knowingly: the
 * peer must be loopback, the Host must be loopback (a page in their browser whose name was re-bound to 127.0.0.1 says
 * its own name there), and the body must be declared as JSON (a form on another site cannot).
 */

import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isLoopback, isLoopbackHost } from './loopback.ts';
import type { StateDocument } from './state.ts';

export interface AdminOptions {
  readonly host: string;
  /** 0 for any free one. */
  readonly port: number;
  readonly metrics: { readonly contentType: string; render(): Promise<string> };
  state(): StateDocument;
  /** Why no request should be sent here now; undefined when all is well. */
  notReadyReason(): string | undefined;
  setBypass(on: boolean): void;
  /** Told of a failure to answer: a bug of ours, not of the peer. */
  onFault?(error: unknown): void;
}

export interface AdminServer {
  /** Without a trailing slash. */
  readonly url: string;
  readonly port: number;
  /** Stops listening and cuts what is open. */
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

type Handler = (request: IncomingMessage) => Answer | Promise<Answer>;

/** By path, then by method. */
type Routes = ReadonlyMap<string, Readonly<Record<string, Handler>>>;

const json = 'application/json; charset=utf-8';
/** `{"on":false}` and some white space. */
const MAX_BODY_BYTES = 1_024;
const MAX_CONNECTIONS = 256;

/** Listens, then resolves. @throws the listen error (`EADDRINUSE`, `EACCES`, …). */
export async function startAdmin(options: AdminOptions): Promise<AdminServer> {
  const routes = routesOf(options);
  const onFault = (error: unknown): void => options.onFault?.(error);
  const server = createServer(
    { maxHeaderSize: 8_192, headersTimeout: 5_000, requestTimeout: 10_000, keepAliveTimeout: 30_000 },
    (request, response) => void respond(routes, { request, response, onFault }).catch(onFault),
  );
  server.maxConnections = MAX_CONNECTIONS;
  await listen(server, options);
  const { port, address, family } = server.address() as AddressInfo;
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`,
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listen(server: Server, { host, port }: AdminOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function routesOf(options: AdminOptions): Routes {
  return new Map<string, Readonly<Record<string, Handler>>>([
    ['/metrics', { GET: async () => page(options.metrics.contentType, await options.metrics.render()) }],
    ['/healthz', { GET: () => asJson(200, { ok: true }) }],
    [
      '/readyz',
      {
        GET: () => {
          const reason = options.notReadyReason();
          return reason === undefined ? asJson(200, { ready: true }) : asJson(503, { ready: false, reason });
        },
      },
    ],
    ['/state', { GET: () => asJson(200, options.state()) }],
    ['/bypass', { POST: (request) => bypass(options, request) }],
  ]);
}

async function respond(
  routes: Routes,
  exchange: { request: IncomingMessage; response: ServerResponse; onFault(error: unknown): void },
): Promise<void> {
  const { request, response, onFault } = exchange;
  let answer: Answer;
  try {
    answer = await answerTo(routes, request);
  } catch (error) {
    onFault(error);
    answer = problem(500, 'this page could not be made; the log says why');
  }
  const hasBody =
    request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0;
  const isUnread = hasBody && !request.complete;
  response.writeHead(answer.status, {
    'content-type': answer.contentType,
    'content-length': Buffer.byteLength(answer.body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...answer.headers,
    // What was not read of the request would be taken for the next one.
    ...(isUnread ? { connection: 'close' } : {}),
  });
  response.end(request.method === 'HEAD' ? undefined : answer.body);
}

function answerTo(routes: Routes, request: IncomingMessage): Answer | Promise<Answer> {
  const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
  const route = routes.get(path);
  if (route === undefined) {
    return problem(404, `nothing here; there are ${[...routes.keys()].join(', ')}`);
  }
  const method = request.method === 'HEAD' ? 'GET' : (request.method ?? '');
  const handler = Object.hasOwn(route, method) ? route[method] : undefined;
  if (handler !== undefined) return handler(request);
  const allowed = Object.keys(route).join(', ');
  return { ...problem(405, `${path} takes ${allowed}`), headers: { allow: allowed } };
}

async function bypass(options: AdminOptions, request: IncomingMessage): Promise<Answer> {
  if (!isLoopback(request.socket.remoteAddress ?? '')) {
    return problem(403, 'bypass can only be switched from the machine itself (a loopback address)');
  }
  if (!isLoopbackHost(request.headers.host ?? '')) {
    return problem(403, 'bypass wants a loopback Host header, such as localhost or 127.0.0.1');
  }
  if (!/^application\/json\s*(;|$)/i.test(request.headers['content-type'] ?? '')) {
    return problem(415, 'bypass takes content-type application/json');
  }
  const text = await readBody(request);
  if (text === undefined) return problem(413, `the body may have ${MAX_BODY_BYTES} bytes at most`);
  const on = switchIn(text);
  if (on === undefined) return problem(400, 'the body must be {"on":true} or {"on":false}');
  options.setBypass(on);
  return asJson(200, options.state());
}

/** Undefined when it is too long. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > MAX_BODY_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function switchIn(text: string): boolean | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const on = typeof value === 'object' && value !== null && 'on' in value ? value.on : undefined;
  return typeof on === 'boolean' ? on : undefined;
}

function page(contentType: string, body: string): Answer {
  return { status: 200, contentType, body };
}

function asJson(status: number, value: unknown): Answer {
  return { status, contentType: json, body: `${JSON.stringify(value)}\n` };
}

function problem(status: number, message: string): Answer {
  return asJson(status, { error: { message, status } });
}
