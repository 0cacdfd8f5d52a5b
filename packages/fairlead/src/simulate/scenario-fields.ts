// SPDX-License-Identifier: Apache-2.0

/** A scenario as data: every field with its type, range, default and meaning, checked as the configuration is. */

import type { ParametersOf, ParameterSpecs } from '@fairlead/core';

/** Longer than anybody simulates: what a mistake would run for. */
const MOST_MS = 30 * 24 * 3_600_000;
const MOST_TOKENS = 10_000_000;

const duration = { type: 'duration', min: 0, max: MOST_MS } as const;
const tokens = { type: 'number', min: 0, max: MOST_TOKENS } as const;

export const ARRIVALS = ['closed-loop', 'even', 'poisson', 'bursts', 'on-off', 'trace'] as const;
export const SIZES = ['fixed', 'uniform', 'log-normal', 'heavy-tail'] as const;
export const FAULTS = ['kill', 'slow', 'flap', 'stale-metrics'] as const;

const sizeFields = {
  kind: { type: 'string', choices: SIZES, default: 'fixed', doc: 'How the numbers are spread.' },
  tokens: { ...tokens, default: 100, doc: 'The number (`fixed`), or the median (`log-normal`).' },
  min: { ...tokens, default: 1, doc: 'The least, of all but `fixed`.' },
  max: { ...tokens, default: 8192, doc: 'The most, of all but `fixed`.' },
  sigma: { type: 'number', min: 0, max: 5, default: 1, doc: 'Of the logarithm (`log-normal`).' },
  alpha: {
    type: 'number',
    min: 0.1,
    max: 10,
    default: 1.5,
    doc: 'How fast the tail gets thin (`heavy-tail`, a Pareto distribution from `min` on).',
  },
} as const satisfies ParameterSpecs;

const arrivalFields = {
  kind: {
    type: 'string',
    choices: ARRIVALS,
    default: 'closed-loop',
    doc: 'When requests come; `trace`: when that of `--trace` says.',
  },
  loops: {
    type: 'integer',
    min: 1,
    max: 100_000,
    default: 1,
    doc: 'Clients that each ask again when they have their answer (`closed-loop`).',
  },
  thinkTime: { ...duration, default: 0, doc: 'Between an answer and the next request of its client (`closed-loop`).' },
  ratePerS: {
    type: 'number',
    min: 0,
    exclusiveMin: true,
    max: 100_000,
    default: 1,
    doc: 'Requests a second: of `even` and `poisson` always, of `bursts` on average, of `on-off` while it is on.',
  },
  burst: { type: 'integer', min: 1, max: 100_000, default: 10, doc: 'Requests that come at once (`bursts`).' },
  on: { ...duration, default: 10_000, doc: 'How long it asks (`on-off`).' },
  off: { ...duration, default: 10_000, doc: 'How long it does not (`on-off`).' },
} as const satisfies ParameterSpecs;

export const tenantFields = {
  name: { type: 'string', required: true, doc: 'Its fairness id; unique.' },
  weight: {
    type: 'number',
    min: 0,
    exclusiveMin: true,
    max: 1_000_000,
    defaultDoc: 'what the configuration gives it',
    doc: 'Its share relative to others.',
  },
  priority: {
    type: 'integer',
    defaultDoc: 'what the configuration gives it, else 0',
    doc: 'Band of its requests.',
  },
  arrivals: { type: 'object', default: {}, fields: arrivalFields, doc: 'When it asks.' },
  promptTokens: { type: 'object', default: {}, fields: sizeFields, doc: 'How long its prompts are.' },
  outputTokens: { type: 'object', default: {}, fields: sizeFields, doc: 'How long its answers are.' },
  sharedPromptTokens: {
    ...tokens,
    default: 0,
    doc: 'How much of each of its prompts, from the beginning, is the same every time.',
  },
  saysMaxTokens: { type: 'boolean', default: false, doc: 'Its requests say how long their answers will be.' },
  givesUpAfter: {
    ...duration,
    defaultDoc: 'never',
    doc: 'Its clients leave when they have no first token by then, and say so beforehand, as SDKs do with a time-out.',
  },
  ttftGoal: { ...duration, defaultDoc: 'none', doc: 'An answer whose first token comes later is no goodput.' },
} as const satisfies ParameterSpecs;

const fleetFields = {
  servers: { type: 'integer', min: 1, max: 1000, default: 1, doc: 'Model servers, all of one model.' },
  slots: { type: 'integer', min: 1, max: 100_000, default: 8, doc: 'Sequences that each runs at once.' },
  prefill: { ...duration, default: 50, doc: 'Fixed part of a time to first token.' },
  prefillTokensPerS: {
    type: 'number',
    min: 0,
    default: 0,
    doc: 'Speed of the part that grows with the prompt; 0: none.',
  },
  prefillSlowdown: {
    type: 'number',
    min: 0,
    max: 1000,
    default: 0,
    doc: 'How much longer a token of a prompt takes to be read for each 1000 tokens before it: 0.5 is half as long again.',
  },
  prefillStopsDecode: {
    type: 'boolean',
    default: false,
    doc: 'While that part of a prompt is read nobody else gets a token, and no other prompt is read.',
  },
  token: { ...duration, default: 10, doc: 'Time between two tokens of an answer.' },
  batchSlowdown: {
    type: 'number',
    min: 0,
    max: 1000,
    default: 0,
    doc: 'How much longer a token takes with all slots busy: 0.5 is half as long again; in between in proportion.',
  },
  contextSlowdown: {
    type: 'number',
    min: 0,
    max: 1000,
    default: 0,
    doc: 'How much longer a token takes for each 1000 tokens, of prompts and answers, that the batch has by then: 0.5 is half as long again.',
  },
  kvTokens: { type: 'integer', min: 1, default: 1_000_000_000, doc: 'Tokens that the KV cache of each holds.' },
  prefixCacheTokens: {
    type: 'integer',
    min: 0,
    default: 0,
    doc: 'Tokens of prompts that each keeps and need not read again; 0: none.',
  },
  prefixCacheBlockTokens: {
    type: 'integer',
    min: 1,
    max: 65_536,
    default: 16,
    doc: 'Of these only whole blocks of so many tokens are found again.',
  },
  noise: {
    type: 'number',
    min: 0,
    max: 2,
    default: 0,
    doc: 'How much a request differs from these times: sigma of the logarithm of a factor.',
  },
  metrics: { type: 'boolean', default: true, doc: 'They tell metrics.' },
} as const satisfies ParameterSpecs;

const faultFields = {
  at: { ...duration, required: true, doc: 'When, since the start.' },
  for: { ...duration, required: true, doc: 'How long.' },
  server: { type: 'integer', min: 1, required: true, doc: 'Which, from 1.' },
  what: {
    type: 'string',
    choices: FAULTS,
    required: true,
    doc: '`kill`: it is gone, with all it ran; `slow`: all takes `factor` times as long; `flap`: it is killed and back in turn, each for `period`; `stale-metrics`: they stay as they were.',
  },
  factor: { type: 'number', min: 1, max: 1000, default: 4, doc: 'Of `slow`.' },
  period: { ...duration, min: 100, default: 5_000, doc: 'Of `flap`.' },
} as const satisfies ParameterSpecs;

export const scenarioFields = {
  seed: { type: 'integer', min: 0, max: 4_294_967_295, default: 1, doc: 'Of all chance; `--seed` says another.' },
  duration: { ...duration, min: 1, defaultDoc: '`1m`, or as long as `--trace` is', doc: 'How much is simulated.' },
  warmUp: { ...duration, default: 0, doc: 'So much of it, at the beginning, is not reported.' },
  fleet: { type: 'object', default: {}, fields: fleetFields, doc: 'What stands behind.' },
  faults: {
    type: 'list',
    default: [],
    maxItems: 10_000,
    doc: 'What goes wrong.',
    of: { type: 'object', doc: 'One fault.', fields: faultFields },
  },
  tenants: {
    type: 'list',
    default: [],
    maxItems: 1000,
    doc: 'Who asks, beside the tenants of `--trace`.',
    of: { type: 'object', doc: 'One tenant.', fields: tenantFields },
  },
} as const satisfies ParameterSpecs;

export type Scenario = ParametersOf<typeof scenarioFields>;

/** How much of a scenario is simulated that does not say so. */
export const DEFAULT_DURATION_MS = 60_000;
export type FleetModel = Scenario['fleet'];
export type Fault = Scenario['faults'][number];
export type TenantModel = Scenario['tenants'][number];
