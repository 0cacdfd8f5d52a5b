// SPDX-License-Identifier: Apache-2.0

/**
 * Which of the endpoints that have room gets the request: filters narrow them in order, scorers rate what is left, the
 * weighted sums go to the picker. It runs in the turn in which the permit is taken, so it is synchronous and makes no
 * garbage: scores are written into buffers that are kept. A plugin that throws, or that answers with what it was not
 * asked about, is reported once and does not count; it never costs a request.
 */

import type { Endpoint } from '../endpoints/endpoint.ts';
import type { Plugin } from '../plugin-registry/plugin.ts';
import type { InferenceRequest } from '../request/inference-request.ts';
import type { PrefixMatch } from '../request/prompt-prefix.ts';
import type { Filter, Picker, Producer, ProfileHandler, PromptWish, SchedulingProfile } from './contracts.ts';
import { ScoreBuffers } from './score-buffers.ts';
import type { TrailStep } from './trail.ts';

/** Told at the first fault of each plugin. */
export type OnPluginFault = (plugin: Plugin, error: unknown) => void;

export interface SchedulerOptions {
  readonly handler: ProfileHandler;
  readonly profiles: readonly SchedulingProfile[];
  /** What the plugins of the profiles ask. */
  readonly producers?: readonly Producer[] | undefined;
  readonly onFault?: OnPluginFault | undefined;
}

type SchedulerPlugins = Pick<SchedulerOptions, 'profiles' | 'producers'>;
type WeightedScorer = SchedulingProfile['scorers'][number];

export class Scheduler {
  readonly #handler: ProfileHandler;
  readonly #profiles: readonly SchedulingProfile[];
  /** Whoever wants to hear of dispatches, whoever adds to answers, and whoever wants to know prompts. */
  readonly #learners: readonly Producer[];
  readonly #headerWriters: readonly Producer[];
  readonly #promptReaders: readonly Producer[];
  readonly #onFault: OnPluginFault | undefined;
  readonly #faulty = new Set<Plugin>();
  readonly #buffers = new ScoreBuffers();
  /** Where the decision under way leaves its reasons, if anybody wants them. */
  #trail: TrailStep[] | undefined;

  /** @throws PluginError when the handler cannot work with the profiles. */
  constructor(options: SchedulerOptions) {
    options.handler.check(options.profiles);
    this.#handler = options.handler;
    this.#profiles = options.profiles;
    const involved = involvedPlugins(options);
    this.#learners = involved.filter(({ dispatched }) => dispatched !== undefined);
    this.#headerWriters = involved.filter(({ answerHeaders }) => answerHeaders !== undefined);
    this.#promptReaders = involved.filter(({ prompts }) => prompts !== undefined);
    this.#onFault = options.onFault;
  }

  /**
   * The endpoint to use and, when the picker names more, those to fail over to: best first, empty when the filters leave
   * none. A single candidate is not rated. With a `trail`, every step and its reasons are added to it.
   */
  schedule(request: InferenceRequest, candidates: readonly Endpoint[], trail?: TrailStep[]): readonly Endpoint[] {
    this.#trail = trail;
    const profile = this.#choose(request);
    if (profile === undefined) return candidates;
    let left = candidates;
    for (const filter of profile.filters) left = this.#filter(filter, request, left);
    if (left.length <= 1) return left;
    const sums = this.#buffers.use(left.length);
    for (const entry of profile.scorers) this.#score(entry, request, left);
    return this.#pick(profile.picker, left, sums);
  }

  /** How plugins want the prompts of requests to these endpoints hashed: in the finest blocks and the farthest of all. */
  promptWish(endpoints: readonly Endpoint[]): PromptWish | undefined {
    let all: PromptWish | undefined;
    for (const plugin of this.#promptReaders) {
      try {
        const wish = plugin.prompts?.(endpoints);
        if (wish === undefined) continue;
        all = {
          blockBytes: Math.min(wish.blockBytes, all?.blockBytes ?? Infinity),
          maxBytes: Math.max(wish.maxBytes, all?.maxBytes ?? 0),
        };
      } catch (error) {
        this.#fault(plugin, error);
      }
    }
    return all;
  }

  /** Lets plugins learn where the request went; what was known of its prompt there, if anything was. */
  dispatched(request: InferenceRequest, endpoint: Endpoint, nowMs: number): PrefixMatch | undefined {
    let match: PrefixMatch | undefined;
    for (const plugin of this.#learners) {
      try {
        match = plugin.dispatched?.(request, endpoint, nowMs) ?? match;
      } catch (error) {
        this.#fault(plugin, error);
      }
    }
    return match;
  }

  /** The headers, lower-case names, that plugins add to the endpoint's answer; undefined for none. */
  answerHeaders(request: InferenceRequest, endpoint: Endpoint): Readonly<Record<string, string>> | undefined {
    let headers: Record<string, string> | undefined;
    for (const plugin of this.#headerWriters) {
      try {
        const added = plugin.answerHeaders?.(request, endpoint);
        if (added !== undefined) headers = { ...headers, ...added };
      } catch (error) {
        this.#fault(plugin, error);
      }
    }
    return headers;
  }

  /** Every step and its reasons, as they would be now. The pickers' dice are thrown. */
  explain(request: InferenceRequest, candidates: readonly Endpoint[]): readonly TrailStep[] {
    const trail: TrailStep[] = [];
    this.schedule(request, candidates, trail);
    return trail;
  }

  #choose(request: InferenceRequest): SchedulingProfile | undefined {
    try {
      const profile = this.#handler.choose(request, this.#profiles);
      if (!this.#profiles.includes(profile))
        throw new Error(`${this.#handler.name} chose a profile that does not exist`);
      this.#trail?.push({ kind: 'profile', plugin: this.#handler.name, profile: profile.name });
      return profile;
    } catch (error) {
      this.#fault(this.#handler, error);
      return this.#profiles[0];
    }
  }

  #filter(filter: Filter, request: InferenceRequest, endpoints: readonly Endpoint[]): readonly Endpoint[] {
    try {
      const kept = filter.filter(request, endpoints);
      if (!isPartOf(kept, endpoints)) throw new Error(`${filter.name} kept endpoints it was not given`);
      this.#trail?.push({ kind: 'filter', plugin: filter.name, kept: names(kept), dropped: names(endpoints, kept) });
      return kept;
    } catch (error) {
      this.#fault(filter, error);
      return endpoints;
    }
  }

  #score(entry: WeightedScorer, request: InferenceRequest, endpoints: readonly Endpoint[]): void {
    const { scorer, weight } = entry;
    const { own } = this.#buffers;
    own.fill(0);
    try {
      scorer.score(request, endpoints, own);
    } catch (error) {
      this.#fault(scorer, error);
      return;
    }
    this.#buffers.add(weight);
    this.#trail?.push({ kind: 'score', plugin: scorer.name, weight, scores: scoresByName(endpoints, own) });
  }

  /** Endpoints that the picker was not given are not believed: they may have no room, or be in another pool. */
  #pick(picker: Picker, endpoints: readonly Endpoint[], sums: Float64Array): readonly Endpoint[] {
    try {
      const picked = picker.pick(endpoints, sums);
      if (picked.length === 0 || !picked.every((endpoint) => endpoints.includes(endpoint))) {
        throw new Error(`${picker.name} did not pick from the endpoints it was given`);
      }
      this.#trail?.push({
        kind: 'pick',
        plugin: picker.name,
        scores: scoresByName(endpoints, sums),
        picked: names(picked),
      });
      return picked;
    } catch (error) {
      this.#fault(picker, error);
      return [endpoints[indexOfMost(sums)] as Endpoint];
    }
  }

  #fault(plugin: Plugin, error: unknown): void {
    this.#trail?.push({ kind: 'fault', plugin: plugin.name, message: String(error) });
    if (this.#faulty.has(plugin)) return;
    this.#faulty.add(plugin);
    this.#onFault?.(plugin, error);
  }
}

/** Every plugin that has a part in scheduling, once. */
export function involvedPlugins({ profiles, producers = [] }: SchedulerPlugins): readonly Producer[] {
  const members = profiles.flatMap(({ filters, scorers, picker }): Producer[] => [
    ...filters,
    ...scorers.map(({ scorer }) => scorer),
    picker,
  ]);
  return [...new Set([...producers, ...members])];
}

/** Filters nearly always keep the order, so this is one walk over both. */
function isPartOf(part: readonly Endpoint[], whole: readonly Endpoint[]): boolean {
  let found = 0;
  for (let index = 0; index < whole.length && found < part.length; index += 1) {
    if (whole[index] === part[found]) found += 1;
  }
  return found === part.length || part.every((endpoint) => whole.includes(endpoint));
}

function indexOfMost(scores: Float64Array): number {
  let most = 0;
  for (let index = 1; index < scores.length; index += 1) {
    if ((scores[index] as number) > (scores[most] as number)) most = index;
  }
  return most;
}

function names(endpoints: readonly Endpoint[], except: readonly Endpoint[] = []): string[] {
  return endpoints.filter((endpoint) => !except.includes(endpoint)).map((endpoint) => endpoint.name);
}

function scoresByName(endpoints: readonly Endpoint[], scores: Float64Array): { endpoint: string; score: number }[] {
  return endpoints.map((endpoint, index) => ({ endpoint: endpoint.name, score: scores[index] as number }));
}
