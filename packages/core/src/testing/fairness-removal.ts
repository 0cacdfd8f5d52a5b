// SPDX-License-Identifier: Apache-2.0

/** Of the suite of fairness policies: flows that leave at any moment, and the work that a crowd of flows makes. */

import type { FairnessPolicy, Member, Waiting } from '../flow-control/policies.ts';
import { compareWaiting } from '../flow-control/waiting-request.ts';
import { FairnessStand, type FairnessStep } from './fairness-stand.ts';

/** The flow whose turn it is leaves for good after every third step, and is settled when it is gone. */
export function checkHotRemoval(make: () => FairnessPolicy, script: readonly FairnessStep[]): void {
  const stand = new FairnessStand(make());
  script.forEach((step, index) => {
    stand.apply(step);
    const next = index % 3 === 0 ? stand.pick() : undefined;
    if (next === undefined) return;
    stand.apply({ act: 'forget', flow: Number(next.id.slice('flow-'.length)) });
    stand.settle(next, index % 2 === 0 ? 1 : -1);
    if (stand.pick() === next) throw new Error(`${next.id} is picked though it is gone`);
  });
}

/** Services over which operations are counted. */
const SERVICES = 1000;

/**
 * A hundred times the flows are twice the logarithm, and a full heap is sifted deeper than one that just began; who goes
 * through all flows looks at a hundred times as many.
 */
export function checkOperations(make: () => FairnessPolicy): void {
  const few = operationsPerService(make(), 100);
  const many = operationsPerService(make(), 10_000);
  if (many > 5 * few + 8) {
    throw new Error(`a service takes ${few} looks at flows among 100 and ${many} among 10000`);
  }
}

/** Reads of flows' fields and states, and comparisons of their heads for each flow that is picked, charged and given another head. */
function operationsPerService(policy: FairnessPolicy, flows: number): number {
  const count = { operations: 0 };
  const compareHeads = (a: Waiting, b: Waiting): number => {
    count.operations += 1;
    return compareWaiting(a, b);
  };
  const band = policy.newState({ compareHeads, now: () => 0 });
  let sequence = 0;
  const nextHead = (): Waiting => {
    sequence += 1;
    // Ranks in no order, so that heaps have something to do.
    return { request: REQUEST, enqueuedMs: 0, expiresMs: Infinity, rank: (sequence * 7919) % 10_007, sequence };
  };
  const members = Array.from({ length: flows }, (_, index) => {
    const fields = { id: `flow-${index}`, weight: 1 + (index % 4), state: counted(policy.newMemberState(), count) };
    return new CountedMember({ ...fields, count, waiting: nextHead() });
  });
  for (const member of members) policy.ready(band, member);
  count.operations = 0;
  for (let served = 0; served < SERVICES; served += 1) {
    const member = policy.pick(band) as CountedMember | undefined;
    if (member === undefined) throw new Error(`pick found none of ${flows} ready flows`);
    policy.charge?.(band, member, 1 + (served % 50));
    member.waiting = nextHead();
    policy.headChanged?.(band, member);
  }
  return count.operations / SERVICES;
}

/** The state, counting its reads; its methods run on the state itself, so that they may have private fields. */
function counted(state: unknown, count: { operations: number }): unknown {
  if (typeof state !== 'object' || state === null) return state;
  return new Proxy(state, {
    get: (target, key) => {
      count.operations += 1;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
    set: (target, key, value) => Reflect.set(target, key, value, target),
  });
}

/** A flow that counts how often it is looked at. */
class CountedMember implements Member {
  readonly #fields: { readonly id: string; readonly weight: number; readonly state: unknown };
  readonly #count: { operations: number };
  waiting: Waiting;

  constructor(input: {
    readonly id: string;
    readonly weight: number;
    readonly state: unknown;
    readonly count: { operations: number };
    readonly waiting: Waiting;
  }) {
    this.#fields = input;
    this.#count = input.count;
    this.waiting = input.waiting;
  }

  get id(): string {
    this.#count.operations += 1;
    return this.#fields.id;
  }
  get weight(): number {
    this.#count.operations += 1;
    return this.#fields.weight;
  }
  get state(): unknown {
    this.#count.operations += 1;
    return this.#fields.state;
  }
  get spell(): number {
    this.#count.operations += 1;
    return 1;
  }
  get head(): Waiting {
    this.#count.operations += 1;
    return this.waiting;
  }
}

const REQUEST = {
  ...{ id: 'request', fairnessId: 'flow', priority: 0, model: 'model', targetModel: 'model' },
  ...{ sizeBytes: 100, sequences: 1, receivedMs: 0 },
};
