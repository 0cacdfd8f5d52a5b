// SPDX-License-Identifier: Apache-2.0

/**
 * The endpoints that serve the same models. Each pool has a flow controller of its own, so that one model's backlog
 * never gates another's. Membership and health change here; whoever dispatches is told by one listener.
 */

import type { Endpoint } from './endpoint.ts';

export class Pool {
  readonly name: string;
  #endpoints: readonly Endpoint[] = [];
  #available: readonly Endpoint[] = [];
  #listener: (() => void) | undefined;

  constructor(name: string) {
    this.name = name;
  }

  /** All members, up or down. */
  get endpoints(): readonly Endpoint[] {
    return this.#endpoints;
  }

  /** The members that are up: a new array after each change, the same one between changes. */
  get available(): readonly Endpoint[] {
    return this.#available;
  }

  /** Told after every change of membership or health. */
  onChange(listener: () => void): void {
    this.#listener = listener;
  }

  setEndpoints(endpoints: readonly Endpoint[]): void {
    this.#endpoints = endpoints;
    this.refresh();
  }

  /** To be called after an endpoint's `up` or its models changed. */
  refresh(): void {
    this.#available = this.#endpoints.filter((endpoint) => endpoint.up);
    this.#listener?.();
  }
}
