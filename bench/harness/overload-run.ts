// SPDX-License-Identifier: Apache-2.0

/**
 * Several times more requests than a fleet can serve, from tenants who do not wait for their answers before they ask
 * again: what the gateway's memory does, and whether each request has an answer that explains itself.
 */

import { createHash } from 'node:crypto';
import { Agent, request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import {
  DEMO_MODEL,
  FIRST_TOKEN_MS,
  SERVER_SLOTS,
  startModelServers,
  TOKEN_MS,
} from '../../packages/fairlead/src/demo/fleet/model-servers.ts';
import { rest } from '../../packages/fairlead/src/demo/rest.ts';
import { residentBytes } from '../stand/process-figures.ts';
import { startShippedGateway } from '../stand/shipped-gateway.ts';

const TENANTS = 4;
const TOKENS = 20;
const BODY_BYTES = 100_000;
const TICK_MS = 20;
const SAMPLE_MS = 100;

export interface Overload {
  readonly seconds: number;
  /** Requests for each one that can be served. */
  readonly times: number;
  readonly budgetBytes: number;
  /** How long requests may wait; nothing is under way any more so long after the last. */
  readonly ttlS: number;
  readonly stop: AbortSignal;
}

export interface OverloadFigures {
  readonly idleBytes: number;
  readonly peakBytes: number;
  readonly sent: number;
  readonly served: number;
  /** Refused with status, reason, message and a time to come back; by status and reason. */
  readonly explained: ReadonlyMap<string, number>;
  /** Everything else that became of a request. */
  readonly unexplained: ReadonlyMap<string, number>;
}

/** Runs it to its end, with a gateway and a model server in processes of their own. */
export async function runOverload(run: Overload): Promise<OverloadFigures> {
  const servers = await startModelServers(1, 1);
  try {
    const urls = servers.map(({ url }) => url);
    const gateway = await startShippedGateway(urls, ['--config-text', configOf(run)]);
    try {
      await gateway.ready(urls.length, run.stop);
      return await overload(run, gateway.url, gateway.process.pid);
    } finally {
      await gateway.process.stop();
    }
  } finally {
    await Promise.all(servers.map(({ process }) => process.kill()));
  }
}

const keyOf = (tenant: number): string => `overload-key-${tenant}`;

function configOf({ budgetBytes, ttlS }: Overload): string {
  const keys = Array.from({ length: TENANTS }, (_, tenant) => {
    const sha256 = createHash('sha256').update(keyOf(tenant)).digest('hex');
    return `    - { tenant: tenant-${tenant}, sha256: ${sha256} }`;
  });
  return [
    'apiVersion: llm-d.ai/v1alpha1',
    'kind: EndpointPickerConfig',
    `gateway: { maxBufferedBytes: ${budgetBytes}, maxBodyBytes: ${2 * BODY_BYTES} }`,
    `flowControl: { defaultRequestTTL: ${ttlS}s }`,
    'identity:',
    '  keys:',
    ...keys,
  ].join('\n');
}

async function overload(run: Overload, url: string, pid: number): Promise<OverloadFigures> {
  const crowd = new Crowd(url);
  await warmUp(crowd, run.stop);
  const idleBytes = residentBytes(pid);
  let peakBytes = idleBytes;
  const sampler = setInterval(() => (peakBytes = Math.max(peakBytes, residentBytes(pid))), SAMPLE_MS);
  const perMs = (run.times * SERVER_SLOTS) / (FIRST_TOKEN_MS + TOKENS * TOKEN_MS);
  const startMs = performance.now();
  const warm = crowd.sent;
  try {
    for (let atMs = 0; atMs < run.seconds * 1000 && !run.stop.aborted; atMs = performance.now() - startMs) {
      while (crowd.sent - warm < atMs * perMs) crowd.send(crowd.sent % TENANTS);
      await rest(TICK_MS, run.stop);
    }
    await rest(2 * run.ttlS * 1000, run.stop, crowd.settled());
  } finally {
    clearInterval(sampler);
    crowd.stop();
  }
  const { sent, served, explained, unexplained } = crowd;
  return { idleBytes, peakBytes, sent, served, explained, unexplained };
}

/** A few at a time: the code is compiled, and the heap as large as work makes it, before memory counts. */
async function warmUp(crowd: Crowd, stop: AbortSignal): Promise<void> {
  for (let round = 0; round < 20 && !stop.aborted; round += 1) {
    for (let tenant = 0; tenant < TENANTS; tenant += 1) crowd.send(tenant);
    await crowd.settled();
  }
}

class Crowd {
  sent = 0;
  served = 0;
  readonly explained = new Map<string, number>();
  readonly unexplained = new Map<string, number>();
  readonly #url: string;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #body: Buffer;
  #underWay = 0;
  #onSettled: (() => void) | undefined;

  constructor(url: string) {
    this.#url = `${url}/v1/chat/completions`;
    // Long without a long prompt, which the model server would not take.
    const metadata = { about: 'x'.repeat(BODY_BYTES) };
    const messages = [{ role: 'user', content: 'hi' }];
    this.#body = Buffer.from(JSON.stringify({ model: DEMO_MODEL, max_tokens: TOKENS, messages, metadata }));
  }

  send(tenant: number): void {
    this.sent += 1;
    this.#underWay += 1;
    const headers = {
      'content-type': 'application/json',
      'content-length': this.#body.length,
      authorization: `Bearer ${keyOf(tenant)}`,
    };
    let isOver = false;
    const over = (what: string, counts: Map<string, number> | undefined): void => {
      if (isOver) return;
      isOver = true;
      if (counts === undefined) this.served += 1;
      else counts.set(what, (counts.get(what) ?? 0) + 1);
      this.#underWay -= 1;
      if (this.#underWay === 0) this.#onSettled?.();
    };
    const sent = request(this.#url, { agent: this.#agent, method: 'POST', headers });
    sent.on('error', (error: NodeJS.ErrnoException) => over(`no answer (${error.code})`, this.unexplained));
    sent.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('end', () => over(...this.#judged(response, text)));
      response.on('close', () => over('half an answer', this.unexplained));
    });
    sent.end(this.#body);
  }

  /** Resolves when nothing is under way. */
  settled(): Promise<void> {
    if (this.#underWay === 0) return Promise.resolve();
    return new Promise((resolve) => (this.#onSettled = resolve));
  }

  /** Whatever has no answer by now never had one. */
  stop(): void {
    if (this.#underWay > 0) this.unexplained.set('still waiting', this.#underWay);
    this.#agent.destroy();
  }

  #judged({ statusCode = 0, headers }: IncomingMessage, text: string): [string, Map<string, number> | undefined] {
    if (statusCode === 200) return ['', undefined];
    const reason = String(headers['x-llm-d-request-dropped-reason']);
    const isExplained = Number(headers['retry-after']) >= 1 && /"message":"[^"]{10,}"/.test(text) && reason.length > 9;
    return [`${statusCode} ${reason}`, isExplained ? this.explained : this.unexplained];
  }
}
