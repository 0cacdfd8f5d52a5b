// SPDX-License-Identifier: Apache-2.0

/** A real getter whose every answer a test can wait for, so that none has to sleep. */

import { Getter } from '../../packages/fairlead/src/model-servers/getter.ts';
import type { GetOptions, GetResult, Gets, OnGot } from '../../packages/fairlead/src/model-servers/getter.ts';
import { Upstream } from '../../packages/fairlead/src/model-servers/upstream.ts';
import type { Clock } from '@fairlead/core';
import type { Loopback } from './loopback.ts';

export class WatchedGetter implements Gets {
  readonly upstream = new Upstream({ connectTimeoutMs: 2000 });
  /** Paths asked for, in order. */
  readonly asked: string[] = [];
  readonly #getter: Getter;
  readonly #answers: GetResult[] = [];
  #onAnswer: (() => void) | undefined;

  constructor(clock: Clock, loopback: Loopback) {
    this.#getter = new Getter(this.upstream, clock);
    loopback.atEnd(() => this.upstream.destroy());
  }

  get(options: GetOptions, onGot: OnGot): { cancel(): void } {
    this.asked.push(options.path);
    return this.#getter.get(options, (result) => {
      onGot(result);
      this.#answers.push(result);
      this.#onAnswer?.();
    });
  }

  /** Resolves when the next answer, of those not waited for yet, has been dealt with. */
  async answer(): Promise<GetResult> {
    while (this.#answers.length === 0) await new Promise<void>((resolve) => (this.#onAnswer = resolve));
    return this.#answers.shift()!;
  }
}
