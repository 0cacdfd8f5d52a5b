// SPDX-License-Identifier: Apache-2.0

/**
 * Eight system prompts of 2 000 tokens before three model servers whose prefix caches hold four of them: how much of what
 * could have been cached was, and what it is worth. `could have been` is an oracle that pins each prompt to a server with
 * an unbounded cache, so that a prompt is computed once and never again. Servers and gateway are processes of their own;
 * each scenario begins with empty caches. `hash` is
 * what a prompt of 16 KB costs the gateway's processor, in this process.
 */

import { PromptHasher } from '@fairlead/core';
import { seededRandom } from '@fairlead/core/testing';
import type { GatewayProcess } from '../packages/fairlead/src/demo/fleet/gateway-process.ts';
import { startModelServers } from '../packages/fairlead/src/demo/fleet/model-servers.ts';
import { measurement } from './harness/benchmark.ts';
import type { Benchmark, BenchmarkContext } from './harness/benchmark.ts';
import { runPrefixClients } from './harness/prefix-clients.ts';
import { runAsMain } from './harness/run-benchmark.ts';
import { startShippedGateway } from './stand/shipped-gateway.ts';

const SERVERS = 3;
const SEED = 1;
/** Of 24 slots. */
const LOOPS = 12;
const SERVER_WORDS = ['--prefix-cache', '512', '--prefill-tokens-per-s', '10000'];

const HASHED_BYTES = 16 * 1024;
const HASH_ROUNDS = 15;
const HASHES_PER_ROUND = 1000;

function configured(scorers: Readonly<Record<string, number>>): readonly string[] {
  const plugins = Object.entries(scorers).map(([type, weight]) => `{pluginRef: ${type}, weight: ${weight}}`);
  const text = `
apiVersion: llm-d.ai/v1alpha1
kind: EndpointPickerConfig
schedulingProfiles: [{name: default, plugins: [${plugins.join(', ')}]}]
`;
  return ['--config-text', text];
}

const load = { 'queue-scorer': 2, 'kv-cache-utilization-scorer': 2 };

/** Flags of `fairlead serve` beyond the endpoints. */
const scenarios: Readonly<Record<string, readonly string[]>> = {
  'no-configuration': [],
  'reference-weights': configured({ ...load, 'prefix-cache-scorer': 3 }),
  'load-alone': configured({ ...load, 'active-request-scorer': 4 }),
};

const prefix: Benchmark = {
  name: 'prefix',
  summary: `${SERVERS} servers with prefix caches, 8 system prompts of 2 000 tokens, ${LOOPS} loops`,
  seconds: 20,
  scenarios: [...Object.keys(scenarios), 'hash'],
  targets: [
    { scenario: 'no-configuration/hits', atLeast: 0.9 },
    { scenario: 'reference-weights/hits', atLeast: 0.9 },
    { scenario: 'hash/16kb', atMost: 20 },
  ],
  run,
};

async function run(context: BenchmarkContext): Promise<void> {
  for (const [name, words] of Object.entries(scenarios)) {
    if (context.wants(name) && !context.stop.aborted) await throughGateway(context, name, words);
  }
  if (context.wants('hash') && !context.stop.aborted) measureHash(context);
}

async function throughGateway(context: BenchmarkContext, name: string, words: readonly string[]): Promise<void> {
  const servers = await startModelServers(SERVERS, SEED, SERVER_WORDS);
  let gateway: GatewayProcess | undefined;
  try {
    gateway = await startShippedGateway(
      servers.map(({ url }) => url),
      words,
    );
    await gateway.ready(SERVERS, context.stop);
    context.say(`${name}: ${context.seconds} s`);
    const { seconds, stop } = context;
    const figures = await runPrefixClients({ baseUrl: gateway.url, loops: LOOPS, seed: SEED, seconds, stop });
    context.report({
      scenario: `${name}/hits`,
      unit: 'of the oracle',
      value: figures.hits,
      spread: figures.hitsSpread,
    });
    context.report({ scenario: `${name}/answer-p50`, unit: 'ms', value: figures.p50Ms, spread: 0 });
    context.report({ scenario: `${name}/answer-p99`, unit: 'ms', value: figures.p99Ms, spread: 0 });
    context.report({ scenario: `${name}/failed`, unit: 'requests', value: figures.failed, spread: 0 });
    context.say(
      `${name}: ${figures.answered} answers, ${figures.cachedTokens} of ${figures.promptTokens} tokens cached`,
    );
  } finally {
    await gateway?.process.stop();
    await Promise.all(servers.map(({ process }) => process.kill()));
  }
}

function measureHash(context: BenchmarkContext): void {
  const random = seededRandom(SEED);
  const prompt = Uint8Array.from({ length: HASHED_BYTES }, () => Math.floor(random() * 256));
  const rounds: number[] = [];
  // The first round is for the compiler.
  for (let round = 0; round <= HASH_ROUNDS; round += 1) {
    const before = process.cpuUsage();
    let blocks = 0;
    for (let count = 0; count < HASHES_PER_ROUND; count += 1) {
      const hasher = new PromptHasher({ blockBytes: 256, maxBlocks: 2048, expectedBytes: HASHED_BYTES });
      hasher.update(prompt);
      blocks += hasher.finish().hashes.length;
    }
    const { user, system } = process.cpuUsage(before);
    const tookUs = (user + system) / HASHES_PER_ROUND;
    if (blocks !== HASHES_PER_ROUND * (HASHED_BYTES / 256)) throw new Error('not all blocks were hashed');
    if (round > 0) rounds.push(tookUs);
  }
  context.report(measurement('hash/16kb', 'µs of CPU', rounds));
}

await runAsMain(prefix);
