// SPDX-License-Identifier: Apache-2.0

/**
 * Fleets and requests by chance for the suites of filters, scorers and pickers: endpoints that come and go, tell of their
 * metrics or not, and have labels, adapters and work; requests with sessions and prompts that begin alike. What learns
 * from where requests go is told of it as the scheduler tells it.
 */

import { Endpoint } from '../endpoints/endpoint.ts';
import { ROLE_LABEL } from '../endpoints/roles.ts';
import type { Plugin } from '../plugin-registry/plugin.ts';
import { endpointToken } from '../plugins/sessions/endpoint-token.ts';
import type { InferenceRequest } from '../request/inference-request.ts';
import { PromptHasher } from '../request/prompt-prefix.ts';
import type { Producer } from '../scheduling/contracts.ts';
import { seededRandom } from './seeded-random.ts';

/** A plugin, or one with the producers that it asks. */
export type Made<T extends Plugin> = T | readonly [T, ...Producer[]];

/** One request on its way, and the endpoints there are at that moment; never none. */
export interface Moment {
  readonly request: InferenceRequest;
  readonly endpoints: readonly Endpoint[];
  /** Dice of this moment, for what the suite itself decides. */
  readonly random: () => number;
}

const ENDPOINTS = 8;
const MOMENTS = 30;
const BLOCK_BYTES = 256;
const ROLES = ['decode', 'prefill', 'encode', 'prefill-decode', 'encode-prefill-decode', 'nonsense'];

/** Plays the fleet of a seed to a plugin: `ask` for each request, then the request goes to an endpoint by chance. */
export function playFleet<T extends Plugin>(
  made: Made<T>,
  seed: number,
  ask: (plugin: T, moment: Moment) => void,
): void {
  const [plugin, ...producers] = isAlone(made) ? [made] : made;
  const learners: Partial<Producer>[] = [plugin, ...producers];
  const random = seededRandom(seed);
  const fleet = Array.from({ length: ENDPOINTS }, (_, index) => endpointByChance(index, random));
  for (let moment = 0; moment < MOMENTS; moment += 1) {
    const present = fleet.filter(() => random() < 0.7);
    const endpoints = Object.freeze(present.length === 0 ? [...fleet] : present);
    const blockBytes = learners
      .map((learner) => learner.prompts?.(endpoints)?.blockBytes)
      .find((wish) => wish !== undefined);
    const request = requestByChance({ number: moment, blockBytes: blockBytes ?? BLOCK_BYTES, fleet, random });
    ask(plugin, { request, endpoints, random: seededRandom(seed * MOMENTS + moment) });
    const chosen = endpoints[Math.floor(random() * endpoints.length)] as Endpoint;
    for (const learner of learners) learner.dispatched?.(request, chosen, request.receivedMs);
    workByChance(chosen, request, random);
  }
}

/** Asks as `playFleet` does. @throws Error when a plugin changed an endpoint by being asked. */
export function playUnchanged<T extends Plugin>(
  made: Made<T>,
  seed: number,
  ask: (plugin: T, moment: Moment) => void,
): void {
  playFleet(made, seed, (plugin, moment) => {
    const before = lookOf(moment.endpoints);
    ask(plugin, moment);
    if (lookOf(moment.endpoints) !== before) throw new Error('it changed an endpoint');
  });
}

/** Everything of the endpoints that only the gateway may change. */
function lookOf(endpoints: readonly Endpoint[]): string {
  return JSON.stringify(endpoints, (key, value: unknown) => {
    if (key === 'memories') return undefined;
    return value instanceof Set ? [...value] : value;
  });
}

/** The same in another order. */
export function shuffledWith<T>(items: readonly T[], random: () => number): T[] {
  return items
    .map((item) => ({ item, key: random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}

function isAlone<T extends Plugin>(made: Made<T>): made is T {
  return !Array.isArray(made);
}

function endpointByChance(index: number, random: () => number): Endpoint {
  const role = ROLES[Math.floor(random() * ROLES.length * 2)];
  const labels = { zone: random() < 0.5 ? 'a' : 'b', ...(role !== undefined && { [ROLE_LABEL]: role }) };
  const endpoint = new Endpoint({ name: `endpoint-${index}`, url: `http://endpoint-${index}.test`, labels });
  endpoint.baseModels = new Set(['base']);
  endpoint.adapters = new Set(['adapter-0', 'adapter-1', 'adapter-2']);
  return endpoint;
}

/** What the request leaves at the endpoint: work, that may have ended, and now and then a reading, or none in time. */
function workByChance(endpoint: Endpoint, { sequences, receivedMs }: InferenceRequest, random: () => number): void {
  const tokens = Math.floor(random() * 1_000_000);
  endpoint.take(sequences, tokens);
  if (random() < 0.5) endpoint.release(sequences, tokens);
  if (random() < 0.1) endpoint.scrapeFailures += 1;
  if (random() < 0.4) return;
  const below = (limit: number): number => Math.floor(random() * limit);
  const adapters = (): Set<string> => new Set([`adapter-${below(4)}`, `adapter-${below(4)}`]);
  const lora = random() < 0.5 ? undefined : { running: adapters(), waiting: adapters(), max: 1 + below(5) };
  const cache = random() < 0.5 ? undefined : { blockTokens: 16, blocks: 16 + below(1000) };
  const kvUsage = random() < 0.2 ? undefined : random();
  const metrics = { waiting: below(3) * below(10), running: below(40), kvUsage, cache, lora };
  endpoint.noteMetrics(metrics, endpoint.dispatched, receivedMs);
}

function requestByChance(options: {
  readonly number: number;
  readonly blockBytes: number;
  readonly fleet: readonly Endpoint[];
  readonly random: () => number;
}): InferenceRequest {
  const { number, blockBytes, fleet, random } = options;
  const below = (limit: number): number => Math.floor(random() * limit);
  const targetModel = random() < 0.5 ? 'base' : `adapter-${below(3)}`;
  const hasher = new PromptHasher({ blockBytes, maxBlocks: 16, expectedBytes: 16 * blockBytes });
  const blocks = below(8);
  for (let block = 0; block < blocks; block += 1) hasher.update(new Uint8Array(blockBytes).fill(below(2)));
  const headers: Record<string, string> = {};
  if (random() < 0.5) headers['x-session-id'] = `session-${below(4)}`;
  if (random() < 0.5) headers['x-session-token'] = endpointToken(fleet[below(fleet.length)] as Endpoint);
  return Object.freeze({
    ...{
      id: `request-${number}`,
      fairnessId: `flow-${below(3)}`,
      priority: below(3) - 1,
      model: targetModel,
      targetModel,
    },
    ...{ sizeBytes: 1 + blocks * blockBytes, sequences: 1 + below(4), receivedMs: number * 100 },
    ...{ inputTokens: below(30_000), prefix: hasher.finish(), headers: Object.freeze(headers) },
  });
}
