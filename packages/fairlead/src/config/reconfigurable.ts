// SPDX-License-Identifier: Apache-2.0

/**
 * How the parts of the house go on with another configuration while they run. First every part prepares, which may take
 * time and may fail; then, when none has failed, all of them swap in one turn. So a configuration counts everywhere or
 * nowhere, and no request ever meets half of it.
 */

import type { ResolvedConfig } from './resolved.ts';

/** What is left to do when everything that could fail has been done. */
export interface Swap {
  /** Goes on with the new configuration, in this turn. Does not throw. */
  swap(): void;
  /** It does not come to that: closes what was opened. */
  discard?(): void;
}

/** A part that takes from a configuration what concerns it. */
export interface Reconfigurable<C = ResolvedConfig> {
  /**
   * Reads, opens and checks whatever the configuration asks for; nothing is other than before until `swap`.
   *
   * @throws Error saying in one line why it cannot be; nothing is left open then.
   */
  prepare(config: C): Swap | Promise<Swap>;
}

/**
 * Prepares every part, then swaps all of them in one turn, in their order.
 *
 * @throws Error of the first part that cannot; no part has changed then.
 */
export async function reconfigure(
  parts: readonly (Reconfigurable | undefined)[],
  config: ResolvedConfig,
): Promise<void> {
  const prepared: Swap[] = [];
  try {
    for (const part of parts) if (part !== undefined) prepared.push(await part.prepare(config));
  } catch (error) {
    for (const each of prepared) each.discard?.();
    throw error;
  }
  for (const each of prepared) each.swap();
}
