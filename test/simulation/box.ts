// SPDX-License-Identifier: Apache-2.0

/**
 * The plugins that simulations run with: every built-in of its kind that needs to be told nothing, one instance each, so
 * that a policy that stays in a change of configuration stays the same instance. Built for one seed, with its dice.
 */

import { Scheduler } from '@fairlead/core';
import type {
  BandSelectionPolicy,
  FairnessPolicy,
  Filter,
  FlowControlConfig,
  InferenceRequest,
  OrderingPolicy,
  ParameterSpec,
  Picker,
  PluginKind,
  SaturationDetector,
  Scorer,
  UsageLimitPolicy,
} from '@fairlead/core';
import {
  adaptiveConcurrencyDetector,
  builtins,
  concurrencyDetector,
  singleProfileHandler,
  utilizationDetector,
} from '@fairlead/core/plugins';
import { flowControlConfig, instanceOf } from '@fairlead/core/testing';
import type { CostBooks } from './cost-books.ts';
import type { Dice } from './dice.ts';
import type { BandDraw, ConfigDraw, DetectorDraw } from './plan.ts';

/** One flow is served by one endpoint only: a choice that nothing but a filter knows of. */
const PICKY = 'f4';

export function suits(request: InferenceRequest, endpoint: { readonly name: string }): boolean {
  return request.fairnessId !== PICKY || endpoint.name === 'e1';
}

const onlyFirstForPicky: Filter = {
  type: 'only-first-for-picky',
  name: 'only-first-for-picky',
  filter: (request, endpoints) => endpoints.filter((endpoint) => suits(request, endpoint)),
};

export class Box {
  readonly #fairness: readonly FairnessPolicy[];
  readonly #orderings: readonly OrderingPolicy[];
  readonly #selections: readonly BandSelectionPolicy[];
  readonly #usageLimits: readonly UsageLimitPolicy[];
  readonly #pickers: readonly Picker[];
  readonly #scorers: readonly Scorer[];

  /** `books` hear what policies are charged. */
  constructor(dice: Dice, books: CostBooks) {
    const all = <T>(kind: PluginKind, parameters = {}): T[] => instancesOf(kind, { dice, parameters }) as T[];
    this.#fairness = [...all<FairnessPolicy>('fairness'), ...all<FairnessPolicy>('fairness')];
    this.#orderings = all('ordering');
    this.#selections = all('band-selection');
    this.#usageLimits = [
      ...all<UsageLimitPolicy>('usage-limit'),
      ...all<UsageLimitPolicy>('usage-limit', { threshold: 0.5 }),
    ];
    books.watchFairness(this.#fairness);
    books.watchSelection(this.#selections);
    this.#pickers = all('picker', { maxNumOfEndpoints: 2 });
    this.#scorers = all('scorer');
  }

  config(draw: ConfigDraw): FlowControlConfig {
    const [first, ...others] = draw.bands.map((band) => this.#band(band));
    return flowControlConfig({
      config: {
        bands: others,
        ...(first !== undefined && { defaultBand: first, defaultNegativeBand: first }),
        knownPriorities: draw.knownPriorities,
        maxRequests: draw.maxRequests,
        maxBytes: draw.maxBytes,
        defaultRequestTtlMs: draw.ttlMs,
        noEndpointRequestTtlMs: draw.noEndpointTtlMs,
        bandSelection: at(this.#selections, draw.selection),
        usageLimit: at(this.#usageLimits, draw.usageLimit),
      },
    });
  }

  detector({ detector, limit, tokenLimit }: DetectorDraw): SaturationDetector {
    if (detector === 'adaptive') return instanceOf(adaptiveConcurrencyDetector);
    if (detector === 'utilization') return instanceOf(utilizationDetector);
    const parameters = { concurrencyMode: detector, maxConcurrency: limit, maxTokenConcurrency: tokenLimit };
    return instanceOf(concurrencyDetector, { parameters });
  }

  chooser({ picker, scorer }: DetectorDraw): Scheduler {
    const profile = {
      name: 'default',
      filters: [onlyFirstForPicky],
      scorers: [{ scorer: at(this.#scorers, scorer), weight: 1 }],
      picker: at(this.#pickers, picker),
    };
    return new Scheduler({ handler: instanceOf(singleProfileHandler), profiles: [profile] });
  }

  #band({ fairness, ordering, ...limits }: BandDraw) {
    const policies = { fairness: at(this.#fairness, fairness), ordering: at(this.#orderings, ordering) };
    return { ...limits, ...policies, maxBytes: 1e9 };
  }
}

function instancesOf(
  kind: PluginKind,
  { dice, parameters }: { readonly dice: Dice; readonly parameters: Readonly<Record<string, unknown>> },
): unknown[] {
  const needsNothing = builtins.filter(({ parameters: specs }) => Object.values(specs).every(isOptional));
  // What plugins name that need others; those need none themselves.
  const others = needsNothing.filter(({ parameters: specs }) => !Object.values(specs).some(isReference));
  const options = { others: others.map((definition) => instanceOf(definition)), parameters, random: dice.random };
  return needsNothing.filter(({ kinds }) => kinds.includes(kind)).map((definition) => instanceOf(definition, options));
}

function isOptional(spec: ParameterSpec): boolean {
  return spec.required !== true;
}

function isReference(spec: ParameterSpec): boolean {
  return spec.type === 'plugin-ref';
}

function at<T>(all: readonly T[], index: number): T {
  return all[index % all.length] as T;
}
