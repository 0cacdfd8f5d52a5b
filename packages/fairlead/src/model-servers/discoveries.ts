// SPDX-License-Identifier: Apache-2.0

/**
 * Everybody who says which endpoints there should be, in their order. A change of configuration starts those that are
 * new, ends those that are gone and leaves alone those that stay.
 */

import type { Reconfigurable, Swap } from '../config/reconfigurable.ts';
import type { EndpointConfig } from '../config/resolved.ts';
import type { Discovery } from '../discovery/discovery.ts';

/** One place that endpoints come from. */
export interface DiscoverySource {
  /** What it is and how it is configured; with the same key it goes on as it is. */
  readonly key: string;
  make(): Discovery;
}

interface Running {
  readonly discovery: Discovery;
  /** All that it wants, as it last said. */
  wanted: readonly EndpointConfig[];
}

export class Discoveries implements Reconfigurable<readonly DiscoverySource[]> {
  readonly #onChange: () => void;
  readonly #onProblem: (problem: string) => void;
  #running: ReadonlyMap<string, Running> = new Map();

  /** `onChange`: one of them wants other endpoints than before. */
  constructor(listener: { readonly onChange: () => void; readonly onProblem: (problem: string) => void }) {
    this.#onChange = listener.onChange;
    this.#onProblem = listener.onProblem;
  }

  /** What all of them want, in their order. */
  get wanted(): readonly EndpointConfig[] {
    return [...this.#running.values()].flatMap(({ wanted }) => wanted);
  }

  /** @throws {DiscoveryError} when a new one has no first list. */
  async prepare(sources: readonly DiscoverySource[]): Promise<Swap> {
    const next = new Map<string, Running>();
    const begun: Discovery[] = [];
    const discard = (): void => begun.forEach((discovery) => discovery.stop());
    try {
      for (const { key, make } of sources) {
        const running = this.#running.get(key) ?? { discovery: make(), wanted: [] };
        next.set(key, running);
        if (this.#running.has(key)) continue;
        begun.push(running.discovery);
        await this.#begin(running);
      }
    } catch (error) {
      discard();
      throw error;
    }
    return { swap: () => this.#replaceBy(next), discard };
  }

  stop(): void {
    this.#replaceBy(new Map());
  }

  #begin(running: Running): Promise<void> {
    return running.discovery.start({
      onEndpoints: (wanted) => {
        running.wanted = wanted;
        if ([...this.#running.values()].includes(running)) this.#onChange();
      },
      onProblem: (problem) => this.#onProblem(problem),
    });
  }

  #replaceBy(next: ReadonlyMap<string, Running>): void {
    const staying = new Set(next.values());
    for (const running of this.#running.values()) if (!staying.has(running)) running.discovery.stop();
    this.#running = next;
  }
}
