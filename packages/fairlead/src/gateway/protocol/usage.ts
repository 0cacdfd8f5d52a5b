// SPDX-License-Identifier: Apache-2.0

/**
 * What a `usage` object means, in every spelling that model servers use: OpenAI's chat and completions, its responses
 * API, Anthropic's messages, and the `meta_info` of SGLang's own API.
 */

import type { Usage } from '@fairlead/core';

type Fields = Readonly<Record<string, unknown>>;

/** Puts together what an answer tells of its usage, given one object after the other as JSON texts. */
export interface UsageTally {
  readonly usage: Usage | undefined;
  add(json: string): void;
}

/**
 * Every object speaks of the whole answer as far as it has come. Counts only grow: an Anthropic stream tells the prompt
 * first and the answer at its end, and some servers say 0 of what they have told before or will tell later.
 */
export class LatestUsage implements UsageTally {
  usage: Usage | undefined;

  add(json: string): void {
    const fields = parseFields(json);
    const told = fields && usageOf(fields);
    if (told !== undefined) this.usage = this.usage === undefined ? told : largest(this.usage, told);
  }
}

/** More sequences than any answer has. */
const MAX_SEQUENCES = 4096;

/** Every object speaks of one sequence of the answer, by its `id`, as far as that has come. */
export class UsageOfSequences implements UsageTally {
  readonly #bySequence = new Map<string, Usage>();

  get usage(): Usage | undefined {
    const told = [...this.#bySequence.values()];
    const sum = (name: keyof Usage): number | undefined => {
      const counts = told.map((usage) => usage[name]).filter((tokens) => tokens !== undefined);
      return counts.length === 0 ? undefined : counts.reduce((total, tokens) => total + tokens, 0);
    };
    return withoutGaps({
      promptTokens: sum('promptTokens'),
      completionTokens: sum('completionTokens'),
      cachedTokens: sum('cachedTokens'),
    });
  }

  add(json: string): void {
    const fields = parseFields(json);
    const told = fields && usageOf(fields);
    const id = typeof fields?.['id'] === 'string' ? fields['id'] : '';
    if (told !== undefined && (this.#bySequence.size < MAX_SEQUENCES || this.#bySequence.has(id))) {
      this.#bySequence.set(id, told);
    }
  }
}

/**
 * Token counts of one `usage` object; what is no whole number counts as absent, what no request has is passed on as it is
 * told (`saneUsage` brings it within bounds, and it is counted). Anthropic tells the
 * tokens read from and written to its cache beside `input_tokens`, not within: there the prompt is their sum.
 */
function usageOf(fields: Fields): Usage | undefined {
  const cacheRead = count(fields['cache_read_input_tokens']);
  const input = count(fields['input_tokens']);
  const anthropicInput =
    input === undefined ? undefined : input + (cacheRead ?? 0) + (count(fields['cache_creation_input_tokens']) ?? 0);
  return withoutGaps({
    promptTokens: count(fields['prompt_tokens']) ?? anthropicInput,
    completionTokens: count(fields['completion_tokens']) ?? count(fields['output_tokens']),
    cachedTokens:
      cachedIn(fields['prompt_tokens_details']) ??
      cachedIn(fields['input_tokens_details']) ??
      cacheRead ??
      count(fields['cached_tokens']),
  });
}

function largest(one: Usage, other: Usage): Usage {
  const larger = (name: keyof Usage): number | undefined =>
    one[name] === undefined || other[name] === undefined
      ? (one[name] ?? other[name])
      : Math.max(one[name], other[name]);
  return withoutGaps({
    promptTokens: larger('promptTokens'),
    completionTokens: larger('completionTokens'),
    cachedTokens: larger('cachedTokens'),
  })!;
}

function parseFields(json: string): Fields | undefined {
  try {
    const fields = JSON.parse(json) as unknown;
    return isFields(fields) ? fields : undefined;
  } catch {
    return undefined;
  }
}

function cachedIn(details: unknown): number | undefined {
  return isFields(details) ? count(details['cached_tokens']) : undefined;
}

function count(value: unknown): number | undefined {
  const tokens = typeof value === 'string' && /^\d{1,10}$/.test(value) ? Number(value) : value;
  return typeof tokens === 'number' && Number.isInteger(tokens) ? tokens : undefined;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function withoutGaps({ promptTokens, completionTokens, cachedTokens }: Usage): Usage | undefined {
  if (promptTokens === undefined && completionTokens === undefined && cachedTokens === undefined) return undefined;
  const told: { -readonly [K in keyof Usage]: Usage[K] } = {};
  if (promptTokens !== undefined) told.promptTokens = promptTokens;
  if (completionTokens !== undefined) told.completionTokens = completionTokens;
  if (cachedTokens !== undefined) told.cachedTokens = cachedTokens;
  return told;
}
