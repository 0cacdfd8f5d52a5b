// SPDX-License-Identifier: Apache-2.0

/**
 * The reference's control headers by which something in front of us says who a request is for. Each has two spellings;
 * when both are present the current one wins, even with an empty value: presence decides, not content.
 */

/** Headers of a request by lower-case name; of one that was sent more than once, its values joined. */
export type RequestHeaders = Readonly<Record<string, string | undefined>>;

/** Spellings, the current one first. */
export const FAIRNESS_ID_NAMES = ['x-llm-d-inference-fairness-id', 'x-gateway-inference-fairness-id'] as const;
export const OBJECTIVE_NAMES = ['x-llm-d-inference-objective', 'x-gateway-inference-objective'] as const;

/** The longest fairness id: it becomes a metric label and a line in logs. */
export const MAX_FAIRNESS_ID_LENGTH = 256;

/** The header that counts among several spellings. */
export function present(
  headers: RequestHeaders,
  names: readonly string[],
): { name: string; value: string } | undefined {
  for (const name of names) {
    const value = headers[name];
    if (value !== undefined) return { name, value };
  }
  return undefined;
}

/** Whether a text is printable ASCII and of a length that can be shown everywhere. Says nothing of empty texts. */
export function isPrintable(text: string, maxLength: number): boolean {
  return text.length <= maxLength && /^[\x20-\x7e]*$/.test(text);
}
