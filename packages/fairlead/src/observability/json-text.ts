// SPDX-License-Identifier: Apache-2.0

/** Plain values as the JSON that a line of log has of them. */

/** Text values are cut to so many UTF-16 units. */
const MAX_TEXT_LENGTH = 512;

/** Text that needs no escapes. */
const PLAIN = /^[ !#-[\]-~]*$/;

/** Whether the text stands in JSON as it is, between quotes; then it is ASCII, too. */
export function isPlain(text: string): boolean {
  return text.length <= MAX_TEXT_LENGTH && PLAIN.test(text);
}

/** Cut when it has no end. */
export function jsonText(text: string): string {
  return JSON.stringify(text.length > MAX_TEXT_LENGTH ? `${text.slice(0, MAX_TEXT_LENGTH)}…` : text);
}

/** With three decimals at most; `null` for what is not finite. */
export function jsonNumber(value: number): string {
  return Number.isFinite(value) ? String(Math.round(value * 1000) / 1000) : 'null';
}
