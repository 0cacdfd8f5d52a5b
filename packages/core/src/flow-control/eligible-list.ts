// SPDX-License-Identifier: Apache-2.0

/**
 * The eligible flows of a band as an array, the longest unserved first. A flow that leaves only leaves a hole behind;
 * holes are closed when the array is next looked at, which costs about as much as looking, or when they are most of it.
 */

import type { Member, Waiting } from './policies.ts';

/** A flow as a simple policy sees it: the controller's flow with the policy's own state in place of this one. */
export class EligibleMember<M> implements Member<M> {
  readonly state: M;
  /** Set before the policy first sees it. */
  member: Member<EligibleMember<M>> | undefined;
  list: EligibleList<M> | undefined;
  slot = -1;

  constructor(state: M) {
    this.state = state;
  }

  get id(): string {
    return this.#flow.id;
  }

  get weight(): number {
    return this.#flow.weight;
  }

  get spell(): number {
    return this.#flow.spell;
  }

  get head(): Waiting {
    return this.#flow.head;
  }

  get #flow(): Member<EligibleMember<M>> {
    if (this.member === undefined) throw new Error('a flow was looked at before it was ready');
    return this.member;
  }
}

export class EligibleList<M> {
  #items: (EligibleMember<M> | undefined)[] = [];
  #count = 0;

  /** The item when it is in this list: policies may hand back anything. */
  known(item: Member<M> | undefined): EligibleMember<M> | undefined {
    const candidate = item as EligibleMember<M> | undefined;
    return candidate?.list === this ? candidate : undefined;
  }

  add(item: EligibleMember<M>): void {
    item.list = this;
    this.#count += 1;
    this.#push(item);
  }

  /** Without effect when it is not in this list. */
  remove(item: EligibleMember<M>): void {
    if (item.list !== this) return;
    this.#items[item.slot] = undefined;
    this.#count -= 1;
    item.list = undefined;
    item.slot = -1;
  }

  /** Puts an item behind all others; without effect when it is not in this list. */
  toEnd(item: EligibleMember<M>): void {
    if (item.list !== this) return;
    this.#items[item.slot] = undefined;
    this.#push(item);
  }

  /** The items without holes; not to be changed, and valid until the next change of the list. */
  compact(): readonly EligibleMember<M>[] {
    if (this.#items.length > this.#count) this.#closeHoles();
    return this.#items as EligibleMember<M>[];
  }

  #push(item: EligibleMember<M>): void {
    item.slot = this.#items.push(item) - 1;
    if (this.#items.length > 2 * this.#count + 16) this.#closeHoles();
  }

  #closeHoles(): void {
    let slot = 0;
    for (const item of this.#items) {
      if (item === undefined) continue;
      this.#items[slot] = item;
      item.slot = slot;
      slot += 1;
    }
    this.#items.length = slot;
  }
}
