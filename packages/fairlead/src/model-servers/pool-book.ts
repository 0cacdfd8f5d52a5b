// SPDX-License-Identifier: Apache-2.0

/**
 * The pools of the moment, and which model is served by which. A pool whose endpoints are all gone stays, with the
 * models it had: requests for them wait for an endpoint to come back rather than be told that there is no such model.
 */

import { continueGroups, groupEndpoints, Pool } from '@fairlead/core';
import type { Endpoint, EndpointGroup } from '@fairlead/core';
import type { ServedModel } from '../director/ports.ts';

/** Pools without endpoints that are kept; those longest without are forgotten first. */
const MAX_EMPTY_POOLS = 100;

/** Pools that are gone, but in front of which requests may still wait. */
const MAX_LEAVING_POOLS = 20;

interface Entry extends EndpointGroup<Endpoint> {
  readonly pool: Pool;
  readonly adapters: ReadonlyMap<string, string | undefined>;
}

export class PoolBook {
  #entries: readonly Entry[] = [];
  #byModel = new Map<string, ServedModel>();
  /** They keep the endpoints there still are, so that what waits can go. */
  #leaving: readonly Pool[] = [];
  readonly #onPools: ((added: readonly Pool[], removed: readonly Pool[]) => void)[] = [];

  get pools(): readonly Pool[] {
    return this.#entries.map((entry) => entry.pool);
  }

  poolFor(model: string): Pool | undefined {
    return this.#byModel.get(model)?.pool;
  }

  /** The pool that an endpoint is in. */
  poolOf(endpoint: Endpoint): Pool | undefined {
    return this.#entries.find(({ endpoints }) => endpoints.includes(endpoint))?.pool;
  }

  models(): readonly ServedModel[] {
    return [...this.#byModel.values()];
  }

  onPools(callback: (added: readonly Pool[], removed: readonly Pool[]) => void): void {
    this.#onPools.push(callback);
  }

  /** Groups the endpoints anew, and tells of pools that came or went, then each pool of its new members. */
  regroup(endpoints: readonly Endpoint[]): void {
    const before = this.#entries;
    const groups = groupEndpoints(endpoints);
    const continued = continueGroups(groups, before);
    const kept = new Set(continued);
    const names = new Set(before.map((entry) => entry.pool.name));
    const filled = groups.map((group, index) => {
      const old = continued[index];
      const pool = old === undefined ? new Pool(newName(group.models, names)) : before[old]!.pool;
      names.add(pool.name);
      return { ...group, pool, adapters: adaptersOf(group.endpoints) };
    });
    const served = new Set(groups.flatMap((group) => [...group.models]));
    const emptied = before
      .filter((entry, index) => !kept.has(index) && [...entry.models].every((model) => !served.has(model)))
      .map((entry) => ({ ...entry, endpoints: [] }))
      .slice(0, MAX_EMPTY_POOLS);
    this.#entries = [...filled, ...emptied];
    this.#indexModels();
    this.#tell(before);
  }

  /** An endpoint's health or models changed: its pool is told. */
  refresh(endpoint: Endpoint): void {
    for (const pool of [...this.pools, ...this.#leaving]) if (pool.endpoints.includes(endpoint)) pool.refresh();
  }

  #indexModels(): void {
    this.#byModel = new Map();
    for (const { pool, models } of this.#entries) {
      for (const id of models) this.#byModel.set(id, { id, pool });
    }
    for (const { pool, adapters } of this.#entries) {
      for (const [id, parent] of adapters) {
        if (!this.#byModel.has(id)) this.#byModel.set(id, { id, pool, parent });
      }
    }
  }

  #tell(before: readonly Entry[]): void {
    const now = new Set(this.pools);
    const old = new Set(before.map((entry) => entry.pool));
    const added = [...now].filter((pool) => !old.has(pool));
    const removed = [...old].filter((pool) => !now.has(pool));
    // New pools have their members before anyone hears of them; for the others, whoever listens hears it in order.
    for (const { pool, endpoints } of this.#entries) if (!old.has(pool)) pool.setEndpoints(endpoints);
    if (added.length + removed.length > 0) for (const callback of this.#onPools) callback(added, removed);
    for (const { pool, endpoints } of this.#entries) setEndpoints(pool, endpoints);
    const leaving = [...removed, ...this.#leaving];
    this.#leaving = leaving.slice(0, MAX_LEAVING_POOLS);
    // Nobody tells these of health any more, and a pool that goes on choosing a dead endpoint would do so without end.
    for (const pool of leaving.slice(MAX_LEAVING_POOLS)) setEndpoints(pool, []);
    const there = new Set(this.#entries.flatMap((entry) => entry.endpoints));
    for (const pool of this.#leaving)
      setEndpoints(
        pool,
        pool.endpoints.filter((endpoint) => there.has(endpoint)),
      );
  }
}

function setEndpoints(pool: Pool, endpoints: readonly Endpoint[]): void {
  const isSame =
    pool.endpoints.length === endpoints.length && endpoints.every((each, index) => each === pool.endpoints[index]);
  if (!isSame) pool.setEndpoints(endpoints);
}

/** A pool is named after its first model, which is what users know it by. */
function newName(models: ReadonlySet<string>, taken: ReadonlySet<string>): string {
  const [first = ''] = models;
  for (const model of models) if (!taken.has(model)) return model;
  let number = 2;
  while (taken.has(`${first}#${number}`)) number += 1;
  return `${first}#${number}`;
}

/** Adapters with the base model they are shown under. */
function adaptersOf(endpoints: readonly Endpoint[]): Map<string, string | undefined> {
  const adapters = new Map<string, string | undefined>();
  for (const endpoint of endpoints) {
    const [parent] = endpoint.baseModels;
    for (const id of endpoint.adapters) if (!adapters.has(id)) adapters.set(id, parent);
  }
  return adapters;
}
