// SPDX-License-Identifier: Apache-2.0

/** A thousand reloads, good and bad, while four tenants keep all slots and their queues full. */

import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import type { FlowEvent } from '@fairlead/core';
import { startModelServer } from '../../packages/fairlead/src/model-server/model-server.ts';
import { hashKey } from '../../packages/fairlead/src/tenancy/hash-key.ts';
import { Loopback } from '../kit/loopback.ts';
import { serveText } from '../kit/served.ts';

const RELOADS = 1000;
const TENANTS = ['a', 'b', 'c', 'd'];
const LOOPS_PER_TENANT = 5;

/** The key table; `more` is what an entry says beside key and tenant. */
function keys(more: (tenant: string) => string): string {
  const entries = TENANTS.map((tenant) => `    - {sha256: ${hashKey(tenant)}, tenant: ${tenant}${more(tenant)}}\n`);
  return `identity:\n  keys:\n${entries.join('')}`;
}

/** Files that differ in everything that may change while it runs. */
function goodTexts(...urls: readonly [string, string]): string[] {
  const endpoints = (...of: readonly string[]): string =>
    `endpoints:\n${of.map((url) => `  - {url: ${url}, models: [m]}\n`).join('')}`;
  const [first, second] = urls;
  const full = (slots: number): string =>
    `plugins:\n  - {name: full, type: concurrency-detector, parameters: {maxConcurrency: ${slots}}}\n`;
  const detector = '  saturationDetector: {pluginRef: full}\n';
  return [
    `${endpoints(first, second)}${keys(() => '')}${full(3)}flowControl:\n${detector}`,
    `${endpoints(second, first)}${keys((tenant) => (tenant === 'a' ? ', priority: 5' : ''))}${full(3)}flowControl:
${detector}  defaultPriorityBand: {fairnessPolicyRef: global-strict-fairness-policy}\n`,
    `${endpoints(first, second)}${keys((tenant) => (tenant === 'b' ? ', maxInFlight: 1, weight: 3' : ''))}flowControl:
  defaultRequestTTL: 2m\n  priorityBands: [{priority: 5, maxRequests: 2000, orderingPolicyRef: slo-deadline-ordering-policy}]\n`,
    `${endpoints(first)}${keys(() => ', priority: -1')}${full(2)}  - {type: static-usage-limit-policy, parameters: {threshold: 0.5}}
schedulingProfiles:
  - {name: only, plugins: [{pluginRef: active-request-scorer}, {pluginRef: random-picker}]}
flowControl:\n${detector}`,
    `${endpoints(first, second)}${keys(() => '')}gateway: {maxBodyBytes: 1Mi, maxBufferedBytes: 2Mi, keepAliveTimeout: 5s}
dataLayer: {injectDefaults: false}\nflowControl:\n  defaultPriorityBand: {orderingPolicyRef: slo-deadline-ordering-policy}\n`,
  ];
}

const BAD_TEXTS = [
  'endpoints: [',
  'gateway: {maxBodyByte: 1}\n',
  'flowControl: {usageLimitPolicyPluginRef: fcfs-ordering-policy}\n',
];

/** First come, first served within each flow of each band, checked as it happens. */
class Queues {
  readonly #waiting = new Map<string, string[]>();
  readonly faults: string[] = [];
  dispatched = 0;

  readonly note = (pool: string, event: FlowEvent): void => {
    if (event.kind === 'enqueued') this.#queue(pool, event).push(event.request.id);
    else if (event.kind === 'dispatched') {
      this.dispatched += 1;
      const next = this.#queue(pool, event).shift();
      if (next !== event.request.id) this.faults.push(`${event.request.id} went before ${next}`);
    } else if (event.kind === 'evicted' || event.kind === 'rejected' || event.kind === 'plugin-fault') {
      this.faults.push(event.kind);
    }
  };

  #queue(pool: string, event: FlowEvent & { kind: 'enqueued' | 'dispatched' }): string[] {
    const key = `${pool} ${event.band} ${event.request.fairnessId}`;
    const queue = this.#waiting.get(key) ?? [];
    this.#waiting.set(key, queue);
    return queue;
  }
}

const loopback = new Loopback();

async function serverUrl(): Promise<string> {
  const server = await startModelServer({ prefillMs: 0, tokenMs: 30, models: ['m'], maxNumSeqs: 64 });
  loopback.atEnd(() => server.destroy());
  return server.url;
}

describe('a thousand reloads under load', () => {
  afterEach(() => loopback.end());

  it('lose no request, and let none overtake another of its flow', async () => {
    const good = goodTexts(await serverUrl(), await serverUrl());
    const queues = new Queues();
    const served = await serveText(good[0]!, loopback, { onFlowEvent: queues.note });
    let isOver = false;
    const statuses = new Map<number, number>();
    const loop = async (tenant: string, number: number): Promise<void> => {
      const headers = { authorization: `Bearer ${tenant}` };
      const body = { model: 'm', messages: [{ role: 'user', content: 'hi' }], max_tokens: 4, stream: number % 2 === 0 };
      while (!isOver) {
        const answer = await fetch(`${served.url}/v1/chat/completions`, {
          method: 'POST',
          headers,
          body: JSON.stringify(body),
        });
        const text = await answer.text();
        const isWhole = answer.status === 200 && (body.stream ? text.endsWith('data: [DONE]\n\n') : text.endsWith('}'));
        const status = isWhole ? 200 : answer.status || 1;
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
    };
    const loops = TENANTS.flatMap((tenant) =>
      Array.from({ length: LOOPS_PER_TENANT }, (_, number) => loop(tenant, number)),
    );
    for (let count = 0; count < RELOADS; count += 1) {
      const isBad = count % 4 === 3;
      const texts = isBad ? BAD_TEXTS : good;
      const { result, problems } = await served.reload(texts[count % texts.length]! + `# ${count}\n`);
      assert.equal(result, isBad ? 'failure' : 'success', JSON.stringify(problems));
    }
    isOver = true;
    await Promise.all(loops);
    assert.deepEqual(queues.faults, []);
    assert.deepEqual([...statuses], [[200, queues.dispatched]]);
    assert.ok(queues.dispatched > 100, `${queues.dispatched} requests`);
    const { config, pools, buffered } = await served.state();
    // The watch may be quicker than who asks, and both count.
    assert.ok(config.reloads.success >= RELOADS * 0.75 && config.reloads.failure >= RELOADS * 0.25);
    assert.deepEqual([buffered.bytes, ...pools.flatMap(({ waiting, inFlight }) => [waiting, inFlight])], [0, 0, 0]);
  });
});
