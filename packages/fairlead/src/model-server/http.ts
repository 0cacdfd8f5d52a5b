// SPDX-License-Identifier: Apache-2.0

/**
 * The HTTP side of a model server: routes, bounded bodies, vLLM's error bodies, and the failures that strike before a
 * request reaches the engine.
 */

import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { modelsBody } from './answers.ts';
import { tokenCountBody } from './anthropic-answers.ts';
import { ApiError } from './api-error.ts';
import type { ErrorFormat } from './api-error.ts';
import type { Clock } from './clock.ts';
import type { Engine } from './engine.ts';
import { Failures } from './failures.ts';
import { embed, generate } from './inference.ts';
import type { Body } from './fields.ts';
import type { GenerationRequest, Served } from './inference-request.ts';
import { parseBody, parseChat, parseCompletion, parseEmbedding } from './inference-request.ts';
import { messageTokens, parseMessages, parseResponses, parseSglang, parseTokens } from './other-requests.ts';
import type { EngineMetrics } from './metrics.ts';
import type { LoggedRequest, RequestLog } from './request-log.ts';
import type { Settings } from './settings.ts';

/** What `/version` says. */
const VERSION = '0.11.0+fairlead';

/** What the routes work with. */
export interface HttpContext {
  readonly settings: Settings;
  readonly served: Served;
  readonly clock: Clock;
  readonly engine: Engine;
  readonly metrics: EngineMetrics;
  readonly failures: Failures;
  readonly log: RequestLog;
  readonly startedAtMs: number;
  readonly startedAtS: number;
  readonly counts: { received: number; scrapes: number };
  /** Refuses keep-alive once true. */
  draining(): boolean;
  /** Ends the server as a crash would. */
  die(): void;
  /** Applies the body of `POST /control`. @throws {RangeError} */
  change(changes: Readonly<Record<string, unknown>>): void;
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly path: string;
}

type Route = (context: HttpContext, exchange: Exchange) => void;

/** Paths that generate, and how what is asked of them is read. */
const GENERATIONS: Readonly<Record<string, (body: Body, served: Served) => GenerationRequest>> = {
  '/v1/chat/completions': parseChat,
  '/v1/completions': parseCompletion,
  '/v1/messages': parseMessages,
  '/v1/responses': parseResponses,
  '/inference/v1/generate': parseTokens,
  '/generate': parseSglang,
};

const COUNT_TOKENS = '/v1/messages/count_tokens';

const ROUTES: ReadonlyMap<string, Readonly<Record<string, Route>>> = new Map([
  ...[...Object.keys(GENERATIONS), '/v1/embeddings', COUNT_TOKENS].map((path): [string, Record<string, Route>] => [
    path,
    { POST: inference },
  ]),
  ['/v1/models', { GET: models }],
  ['/health', { GET: health }],
  ['/version', { GET: version }],
  ['/metrics', { GET: metrics }],
  ['/control', { GET: showControl, POST: control }],
]);

/** The listener for `node:http`. */
export function createListener(context: HttpContext): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
    const exchange: Exchange = { request, response, path };
    if (context.draining()) response.shouldKeepAlive = false;
    // A client that vanishes shows up as an error on either stream; `close` does the work.
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    try {
      route(context, exchange);
    } catch (error) {
      sendError(exchange, error);
    }
  };
}

function route(context: HttpContext, exchange: Exchange): void {
  const { request, response, path } = exchange;
  const { settings } = context;
  if (path !== '/control') {
    if (settings.nonsense === 'http' || settings.nonsense === 'all') {
      response.socket?.end(Failures.NOT_HTTP);
      return;
    }
    if (context.clock.nowMs() < context.startedAtMs + settings.startupMs)
      throw new ApiError(503, 'the model is still loading');
  }
  const methods = path === '/control' && !settings.control ? undefined : ROUTES.get(path);
  if (methods === undefined) {
    logRequest(context, exchange);
    throw new ApiError(404, 'Not Found');
  }
  const handler = methods[request.method ?? ''];
  if (handler === undefined) {
    response.setHeader('allow', Object.keys(methods).join(', '));
    throw new ApiError(405, 'Method Not Allowed');
  }
  handler(context, exchange);
}

function inference(context: HttpContext, exchange: Exchange): void {
  const { request, response, path } = exchange;
  context.counts.received++;
  const fate = context.failures.fateOf(request.socket);
  if (fate === 'die') {
    context.die();
    return;
  }
  if (fate === 'reset') {
    request.socket.resetAndDestroy();
    return;
  }
  const entry = logRequest(context, exchange);
  readBody(exchange, context.settings.maxBodyBytes, (bytes) => {
    context.log.setBody(entry, bytes);
    if (fate === 'fail') throw new ApiError(500, 'injected failure', { type: 'InternalServerError' });
    const body = parseBody(bytes);
    const to = { response, requestId: entry.id };
    const parse = GENERATIONS[path];
    if (parse !== undefined) generate(context.engine, parse(body, context.served), to);
    else if (path === COUNT_TOKENS) send(exchange, { body: tokenCountBody(messageTokens(body)) });
    else embed(context.engine, parseEmbedding(body, context.served), to);
  });
}

function models(context: HttpContext, exchange: Exchange): void {
  logRequest(context, exchange);
  send(exchange, { body: modelsBody({ ...context.served, createdS: context.startedAtS }) });
}

function health(context: HttpContext, exchange: Exchange): void {
  if (context.settings.unhealthy) throw new ApiError(503, 'the engine is not healthy');
  exchange.response.writeHead(200, { 'content-length': 0 });
  exchange.response.end();
}

function version(_context: HttpContext, exchange: Exchange): void {
  send(exchange, { body: JSON.stringify({ version: VERSION }) });
}

function metrics(context: HttpContext, exchange: Exchange): void {
  context.counts.scrapes++;
  const { settings, served, engine } = context;
  if (settings.noMetrics) throw new ApiError(404, 'Not Found');
  const page =
    settings.nonsense === 'metrics'
      ? Failures.GARBAGE_METRICS
      : context.metrics.render(engine, {
          model: served.models[0] ?? '',
          adapters: served.adapters,
          maxLoras: settings.maxLoras,
          kvBlocks: settings.kvBlocks,
          nowS: Date.now() / 1000,
        });
  send(exchange, { body: page, contentType: 'text/plain; version=0.0.4; charset=utf-8' });
}

function showControl(context: HttpContext, exchange: Exchange): void {
  send(exchange, { body: JSON.stringify(context.settings) });
}

function control(context: HttpContext, exchange: Exchange): void {
  readBody(exchange, context.settings.maxBodyBytes, (bytes) => {
    try {
      context.change(parseBody(bytes));
    } catch (error) {
      if (error instanceof RangeError) throw new ApiError(400, error.message, { type: 'BadRequestError' });
      throw error;
    }
    send(exchange, { body: JSON.stringify(context.settings) });
  });
}

/** Calls back with the whole body, or answers 413; what the callback throws becomes the error answer. */
function readBody(exchange: Exchange, maxBytes: number, use: (body: Buffer) => void): void {
  const { request, response } = exchange;
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  const refuse = (): void => {
    request.removeAllListeners('data').removeAllListeners('end').resume();
    response.shouldKeepAlive = false;
    response.once('finish', () => request.socket.destroySoon());
    sendError(exchange, new ApiError(413, `the body may have ${maxBytes} bytes`));
  };
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) {
    refuse();
    return;
  }
  request.on('data', (chunk: Buffer) => {
    sizeBytes += chunk.length;
    if (sizeBytes > maxBytes) refuse();
    else chunks.push(chunk);
  });
  request.on('end', () => {
    try {
      use(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks));
    } catch (error) {
      sendError(exchange, error);
    }
  });
}

function logRequest(context: HttpContext, exchange: Exchange): LoggedRequest {
  const { method = '', url = '', headers } = exchange.request;
  const given = headers['x-request-id'];
  const id = typeof given === 'string' ? given : randomUUID().replaceAll('-', '');
  const entry: LoggedRequest = { id, method, url, headers, body: '' };
  context.log.add(entry);
  return entry;
}

function sendError(exchange: Exchange, error: unknown): void {
  if (exchange.response.headersSent) {
    exchange.response.destroy();
    return;
  }
  const answer =
    error instanceof ApiError ? error : new ApiError(500, 'internal error', { type: 'InternalServerError' });
  send(exchange, { status: answer.status, body: answer.body(errorFormat(exchange.path)) });
}

function errorFormat(path: string): ErrorFormat {
  if (path.startsWith('/v1/messages')) return 'anthropic';
  return path === '/generate' ? 'sglang' : 'openai';
}

function send(exchange: Exchange, answer: { status?: number; body: string; contentType?: string }): void {
  const { status = 200, body, contentType = 'application/json' } = answer;
  exchange.response.writeHead(status, { 'content-type': contentType, 'content-length': Buffer.byteLength(body) });
  exchange.response.end(body);
}
