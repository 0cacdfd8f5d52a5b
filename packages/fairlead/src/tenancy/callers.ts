// SPDX-License-Identifier: Apache-2.0

/** Who is asking, by the configuration of the moment. */

import type { Reconfigurable, Swap } from '../config/reconfigurable.ts';
import type { ResolvedConfig } from '../config/resolved.ts';
import { createIdentify } from './identify.ts';
import type { Identify } from './identify.ts';
import { TenantMemory } from './tenant-memory.ts';

export type CallersConfig = Pick<ResolvedConfig, 'identity' | 'inferenceObjectives'>;

export class Callers implements Reconfigurable<CallersConfig> {
  readonly #memory: TenantMemory;
  #identify: Identify;
  /** Identifies a caller; the same function whatever the configuration becomes. */
  readonly identify: Identify = (head) => this.#identify(head);

  /** @throws RangeError when a trusted source is not an address range. */
  constructor(config: CallersConfig, nowMs: () => number) {
    this.#memory = new TenantMemory(nowMs);
    this.#identify = createIdentify(config.identity, config.inferenceObjectives, this.#memory);
  }

  prepare(config: CallersConfig): Swap {
    return {
      swap: () => {
        this.#identify = createIdentify(config.identity, config.inferenceObjectives, this.#memory);
      },
    };
  }
}
