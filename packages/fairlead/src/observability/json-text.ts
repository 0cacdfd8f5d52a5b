// SPDX-License-Identifier: Apache-2.0

/**
 * Plain values as the JSON that a line of log has of them. A busy gateway writes some ten numbers and names for each
 * request, so the common ones go a short way; what comes out is the same as by the long one.
 */

/** Text values are cut to so many UTF-16 units. */
const MAX_TEXT_LENGTH = 512;

/** Text that needs no escapes. */
const PLAIN = /^[ !#-[\]-~]*$/;

/** `.001` to `.999` without noughts at their end; nothing for 0. */
const DECIMALS = Array.from({ length: 1000 }, (_, thousandths) => String(thousandths / 1000).slice(1));

/** The longest time or size in thousandths that takes the short way. */
const MOST_THOUSANDTHS = 2 ** 31 - 1;

export function jsonText(text: string): string {
  if (text.length > MAX_TEXT_LENGTH) return JSON.stringify(`${text.slice(0, MAX_TEXT_LENGTH)}…`);
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text);
}

/** With three decimals at most; `null` for what is not finite. */
export function jsonNumber(value: number): string {
  if ((value | 0) === value) return String(value);
  const thousandths = Math.round(value * 1000);
  if (thousandths >= 0 && thousandths <= MOST_THOUSANDTHS) {
    const whole = (thousandths / 1000) | 0;
    return `${whole}${DECIMALS[thousandths - whole * 1000] ?? ''}`;
  }
  return Number.isFinite(value) ? String(thousandths / 1000) : 'null';
}
