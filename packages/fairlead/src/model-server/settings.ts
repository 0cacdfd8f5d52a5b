// SPDX-License-Identifier: Apache-2.0

/**
 * Everything about a model server that is a number or a switch, as data: one table gives the defaults, the checks, the
 * command-line flags and what `POST /control` accepts, so that they cannot drift apart.
 */

import { BLOCK_TOKENS } from './engine.ts';

/** Which answers are bytes that make no sense. */
export type Nonsense = 'off' | 'http' | 'metrics' | 'all';

/** A model server's settings; their defaults and meaning are in `SETTINGS`. */
export interface Settings {
  maxNumSeqs: number;
  maxModelLen: number;
  kvBlocks: number;
  prefixCache: number;
  maxLoras: number;
  prefillMs: number;
  prefillTokensPerS: number;
  tokenMs: number;
  maxBodyBytes: number;
  startupMs: number;
  drainTimeoutMs: number;
  keepRequests: number;
  seed: number;
  control: boolean;
  failRate: number;
  resetRate: number;
  resetIdle: boolean;
  stallAfter: number | null;
  dieAfter: number | null;
  nonsense: Nonsense;
  noMetrics: boolean;
  unhealthy: boolean;
}

/** One row of the table. `live` settings can be changed while the server runs; `off` means null is allowed. */
export type Setting = { readonly summary: string; readonly live?: true } & (
  | {
      readonly kind: 'integer' | 'number';
      readonly value: string;
      readonly min: number;
      readonly max: number;
      readonly off?: true;
    }
  | { readonly kind: 'switch' }
  | { readonly kind: 'choice'; readonly value: string; readonly choices: readonly string[] }
);

const COUNT_MAX = 1_000_000_000;
const integer = { kind: 'integer', min: 0, max: COUNT_MAX } as const;
const number = { kind: 'number', min: 0, max: COUNT_MAX } as const;
const rate = { kind: 'number', value: 'P', min: 0, max: 1, live: true } as const;
const switchable = { kind: 'switch', live: true } as const;

/** Every setting, in the order of the command line's help. */
export const SETTINGS = {
  maxNumSeqs: {
    ...integer,
    default: 8,
    value: 'N',
    min: 1,
    live: true,
    summary: 'sequences that run at once; others wait',
  },
  maxModelLen: {
    ...integer,
    default: 8192,
    value: 'TOKENS',
    min: 2,
    summary: 'prompt and output of one sequence, at most; by default 8192, or what the KV cache holds',
  },
  kvBlocks: { ...integer, default: 4096, value: 'N', min: 1, summary: 'KV cache, in blocks of 16 tokens' },
  prefixCache: {
    ...integer,
    default: 0,
    value: 'BLOCKS',
    summary: 'blocks of prompts kept, whose tokens need no prefill; 0 = none',
  },
  maxLoras: {
    ...integer,
    default: 0,
    value: 'N',
    live: true,
    summary: 'LoRA adapters whose sequences run at once; 0 = all',
  },
  prefillMs: { ...number, default: 50, value: 'MS', live: true, summary: 'from admission to the first token' },
  prefillTokensPerS: {
    ...number,
    default: 0,
    value: 'N',
    live: true,
    summary: 'prompt tokens a second, added to the prefill; 0 = none',
  },
  tokenMs: {
    ...number,
    default: 10,
    value: 'MS',
    min: 0.01,
    live: true,
    summary: 'from one token of a sequence to the next',
  },
  maxBodyBytes: {
    ...integer,
    default: 32 * 1024 * 1024,
    value: 'BYTES',
    min: 1,
    summary: 'larger request bodies get 413',
  },
  startupMs: { ...number, default: 0, value: 'MS', summary: 'answer everything with 503 for so long after the start' },
  drainTimeoutMs: {
    ...number,
    default: 10_000,
    value: 'MS',
    summary: 'when stopping, cut what is still under way after so long',
  },
  keepRequests: {
    ...integer,
    default: 1000,
    value: 'N',
    max: 100_000,
    summary: 'requests kept in the log (at most 16 MiB of bodies)',
  },
  seed: { ...integer, default: 1, value: 'N', max: 2 ** 32 - 1, summary: 'seed of everything random' },
  control: { kind: 'switch', default: false, summary: 'let GET and POST /control read and change the settings' },
  failRate: { ...rate, default: 0, summary: 'share of inference requests answered 500' },
  resetRate: {
    ...rate,
    default: 0,
    summary: 'share of inference requests whose connection is reset before any answer',
  },
  resetIdle: {
    ...switchable,
    default: false,
    summary: 'reset a kept-alive connection as its next inference request arrives',
  },
  stallAfter: {
    ...integer,
    default: null,
    value: 'N',
    off: true,
    live: true,
    summary: 'stop sending after N tokens of a sequence, but keep its slot',
  },
  dieAfter: {
    ...integer,
    default: null,
    value: 'N',
    off: true,
    live: true,
    summary: 'die abruptly when inference request N+1 has arrived',
  },
  nonsense: {
    default: 'off',
    kind: 'choice',
    value: 'WHAT',
    choices: ['off', 'http', 'metrics', 'all'],
    live: true,
    summary: 'bytes that are not HTTP (http), a garbage /metrics page (metrics), or both (all)',
  },
  noMetrics: { ...switchable, default: false, summary: 'answer /metrics with 404' },
  unhealthy: { ...switchable, default: false, summary: 'answer /health with 503' },
} as const satisfies { readonly [Name in keyof Settings]: Setting & { readonly default: Settings[Name] } };

export const SETTING_NAMES = Object.keys(SETTINGS) as readonly (keyof Settings)[];

export const DEFAULT_SETTINGS = Object.fromEntries(
  SETTING_NAMES.map((name) => [name, SETTINGS[name].default]),
) as unknown as Readonly<Settings>;

/** The settings that may change at run time. */
export type LiveSettings = {
  [Name in keyof Settings as (typeof SETTINGS)[Name] extends { readonly live: true } ? Name : never]: Settings[Name];
};

/** What a setting takes, in words: `an integer from 1 to 1000000000`. */
export function allowedValues(setting: Setting): string {
  switch (setting.kind) {
    case 'switch':
      return 'true or false';
    case 'choice':
      return `one of ${setting.choices.join(', ')}`;
    case 'integer':
    case 'number': {
      const range = `${setting.kind === 'integer' ? 'an integer' : 'a number'} from ${setting.min} to ${setting.max}`;
      return setting.off === true ? `${range}, or null for never` : range;
    }
  }
}

/**
 * Defaults, then what is given, checked.
 *
 * @throws {RangeError} naming the setting, its value and what is allowed.
 */
export function resolveSettings(given: Readonly<Partial<Settings>>): Settings {
  const settings: Settings = { ...DEFAULT_SETTINGS };
  for (const name of SETTING_NAMES) {
    const value = given[name];
    if (value === undefined) continue;
    checkSetting(name, value);
    Object.assign(settings, { [name]: value });
  }
  const kvTokens = settings.kvBlocks * BLOCK_TOKENS;
  if (given.maxModelLen === undefined) settings.maxModelLen = Math.min(settings.maxModelLen, kvTokens);
  if (settings.maxModelLen > kvTokens) {
    throw new RangeError(
      `maxModelLen: got ${settings.maxModelLen}, allowed is at most the ${kvTokens} tokens that kvBlocks hold`,
    );
  }
  return settings;
}

/**
 * Checks changes to a running server; untrusted, as they may come over HTTP.
 *
 * @throws {RangeError} naming the setting, its value and what is allowed.
 */
export function checkChanges(changes: Readonly<Record<string, unknown>>): Partial<LiveSettings> {
  const live = SETTING_NAMES.filter((known) => (SETTINGS[known] as Setting).live === true);
  for (const [given, value] of Object.entries(changes)) {
    const name = live.find((known) => known === given);
    if (name === undefined) {
      throw new RangeError(`${given}: cannot be changed at run time; allowed are ${live.join(', ')}`);
    }
    checkSetting(name, value);
  }
  return changes;
}

function checkSetting(name: keyof Settings, value: unknown): void {
  const setting = SETTINGS[name];
  if (!accepts(setting, value)) {
    throw new RangeError(`${name}: got ${JSON.stringify(value)}, allowed is ${allowedValues(setting)}`);
  }
}

function accepts(setting: Setting, value: unknown): boolean {
  switch (setting.kind) {
    case 'switch':
      return typeof value === 'boolean';
    case 'choice':
      return typeof value === 'string' && setting.choices.includes(value);
    case 'integer':
    case 'number':
      if (value === null) return setting.off === true;
      if (typeof value !== 'number' || !(value >= setting.min && value <= setting.max)) return false;
      return setting.kind === 'number' || Number.isInteger(value);
  }
}
