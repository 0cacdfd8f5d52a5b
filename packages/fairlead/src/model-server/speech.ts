// SPDX-License-Identifier: Apache-2.0

/** What each sequence of a request says, token by token, and what that counts. */

import type { GenerationRequest } from './inference-request.ts';
import { textOf, wordAt } from './words.ts';

/** Sequences are numbered prompt by prompt: prompt p, sample s is choice `p * n + s`. */
export function choiceCount(request: GenerationRequest): number {
  return request.promptTokens.length * request.n;
}

export function outputTokensOf(request: GenerationRequest, choice: number): number {
  return request.outputTokens[Math.floor(choice / request.n)] ?? 0;
}

/** Of the prompt that a choice answers. */
export function promptTokensOf(request: GenerationRequest, choice: number): number {
  return request.promptTokens[Math.floor(choice / request.n)] ?? 0;
}

/** A token's text as it stands inside a JSON string. */
export function tokenInJson(request: GenerationRequest, choice: number, index: number): string {
  if (request.tool === undefined) return wordAt(firstWordOf(request, choice), index);
  return JSON.stringify(request.tool.pieces[index] ?? '').slice(1, -1);
}

/** The first `count` tokens of a choice, all by default: words, or the arguments of the tool call. */
export function spoken(request: GenerationRequest, choice: number, count = outputTokensOf(request, choice)): string {
  if (request.tool !== undefined) return request.tool.pieces.slice(0, count).join('');
  return textOf(firstWordOf(request, choice), count);
}

/** Tokens of all prompts, each once, and of all choices. */
export function tokenCounts(request: GenerationRequest): { prompt: number; completion: number } {
  return { prompt: sum(request.promptTokens), completion: sum(request.outputTokens) * request.n };
}

export function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}

/** Where in the word list a choice begins: the same for the same request. */
function firstWordOf(request: GenerationRequest, choice: number): number {
  return promptTokensOf(request, choice) + choice;
}
