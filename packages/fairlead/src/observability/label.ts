// SPDX-License-Identifier: Apache-2.0

/**
 * Names that came from outside, made fit for a label: short, well-formed, on one line. Two names may become the same
 * label and then share a series, so whoever makes series has to look them up by label, never by the name behind it.
 */

/** Longest label value, in UTF-16 units. */
export const MAX_LABEL_LENGTH = 128;

/** The label of everything for which there is no room of its own. */
export const OTHER_LABEL = 'other';

export function labelValue(text: string): string {
  const bounded = text.length > MAX_LABEL_LENGTH ? text.slice(0, MAX_LABEL_LENGTH) : text;
  return bounded.toWellFormed().replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, '?');
}
