// SPDX-License-Identifier: Apache-2.0

/** Kits whose controllers are checked from scratch when a test is over. */

import { checkInvariants } from '../flow-control/invariants.ts';
import { FlowControlKit, type KitOptions } from './flow-control-kit.ts';

export class CheckedKits {
  #kits: FlowControlKit[] = [];

  start(options: KitOptions = {}): FlowControlKit {
    const kit = new FlowControlKit(options);
    this.#kits.push(kit);
    return kit;
  }

  /** To be called after each test. @throws Error naming the first invariant that does not hold. */
  check(): void {
    for (const kit of this.#kits.splice(0)) checkInvariants(kit.controller);
  }
}
