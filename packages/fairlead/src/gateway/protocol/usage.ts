// SPDX-License-Identifier: Apache-2.0

/**
 * What a `usage` object means, in every spelling that model servers use: OpenAI's chat and completions, its responses
 * API, and Anthropic's messages.
 */

import type { Usage } from '@fairlead/core';

/** Counts beyond this are nonsense: no context is that long. */
const MAX_TOKENS = 1_000_000_000;

type Fields = Readonly<Record<string, unknown>>;

/**
 * Token counts of one `usage` object given as JSON text; a count that is absurd counts as absent. Anthropic tells the
 * tokens read from and written to its cache beside `input_tokens`, not within: there the prompt is their sum.
 */
export function parseUsage(json: string): Usage | undefined {
  let fields: unknown;
  try {
    fields = JSON.parse(json);
  } catch {
    return undefined;
  }
  if (!isFields(fields)) return undefined;
  const cacheRead = count(fields['cache_read_input_tokens']);
  const input = count(fields['input_tokens']);
  const anthropicInput =
    input === undefined ? undefined : input + (cacheRead ?? 0) + (count(fields['cache_creation_input_tokens']) ?? 0);
  return withoutGaps({
    promptTokens: count(fields['prompt_tokens']) ?? anthropicInput,
    completionTokens: count(fields['completion_tokens']) ?? count(fields['output_tokens']),
    cachedTokens: cachedIn(fields['prompt_tokens_details']) ?? cachedIn(fields['input_tokens_details']) ?? cacheRead,
  });
}

/** Later counts take the place of earlier ones: an Anthropic stream tells the prompt first and the answer at its end. */
export function mergeUsage(earlier: Usage | undefined, later: Usage | undefined): Usage | undefined {
  return earlier === undefined || later === undefined ? (later ?? earlier) : { ...earlier, ...later };
}

function cachedIn(details: unknown): number | undefined {
  return isFields(details) ? count(details['cached_tokens']) : undefined;
}

function count(value: unknown): number | undefined {
  const tokens = typeof value === 'string' && /^\d{1,10}$/.test(value) ? Number(value) : value;
  return typeof tokens === 'number' && Number.isInteger(tokens) && tokens >= 0 && tokens <= MAX_TOKENS
    ? tokens
    : undefined;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function withoutGaps(usage: Usage): Usage | undefined {
  const told = Object.entries(usage).filter(([, tokens]) => tokens !== undefined);
  return told.length === 0 ? undefined : Object.fromEntries(told);
}
