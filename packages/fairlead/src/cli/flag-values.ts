// SPDX-License-Identifier: Apache-2.0

/** Texts of flags to values, for flags that several commands have. */

import { UsageError } from './command.ts';

/** @throws UsageError unless `text` is an integer of the range. */
export function parseInteger(text: string, range: { readonly min: number; readonly max: number }): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : NaN;
  if (value >= range.min && value <= range.max) return value;
  throw new UsageError(`allowed is an integer from ${range.min} to ${range.max}`);
}

/** @throws UsageError unless `text` is a port, or 0 for any free one. */
export function parsePort(text: string): number {
  return parseInteger(text, { min: 0, max: 65_535 });
}
