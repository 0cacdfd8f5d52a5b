// SPDX-License-Identifier: Apache-2.0

/**
 * Which flow is next? The one whose head would be first if the whole band were a single queue. Choose it when requests
 * matter and not who sends them; a tenant that floods then makes all others wait. The reference's default.
 *
 * Bound: the earliest head by the band's ordering over all ready flows, ties by arrival; a flow's share is its share of
 * what arrives. `pick` is O(1), a change is O(log flows): a heap whose slots are in the members' own state.
 */

import { IndexedHeap } from '../../flow-control/indexed-heap.ts';
import type { BandContext, FairnessPolicy, Member, Waiting } from '../../flow-control/policies.ts';
import { definePlugin } from '../../plugin-registry/plugin.ts';

/** A member's place in the heap. */
class Entry {
  slot = -1;
  member: Member<Entry> | undefined;
  /** The member's head as last told: read from here, the heap stays in order while queues change under it. */
  head: Waiting | undefined;
}

class HeadHeap extends IndexedHeap<Entry> {
  readonly #context: BandContext;

  constructor(context: BandContext) {
    super();
    this.#context = context;
  }

  protected override before(a: Entry, b: Entry): boolean {
    return this.#context.compareHeads(a.head as Waiting, b.head as Waiting) < 0;
  }
  protected override slotOf(entry: Entry): number {
    return entry.slot;
  }
  protected override setSlot(entry: Entry, slot: number): void {
    entry.slot = slot;
  }
}

class GlobalStrict implements FairnessPolicy<HeadHeap, Entry> {
  readonly isOneQueue = true;
  readonly type: string;
  readonly name: string;

  constructor(type: string, name: string) {
    this.type = type;
    this.name = name;
  }

  newState(context: BandContext): HeadHeap {
    return new HeadHeap(context);
  }

  newMemberState(): Entry {
    return new Entry();
  }

  ready(heap: HeadHeap, member: Member<Entry>): void {
    const entry = member.state;
    entry.member = member;
    entry.head = member.head;
    heap.push(entry);
  }

  unready(heap: HeadHeap, member: Member<Entry>): void {
    heap.remove(member.state);
    member.state.head = undefined;
  }

  headChanged(heap: HeadHeap, member: Member<Entry>): void {
    member.state.head = member.head;
    heap.moved(member.state);
  }

  pick(heap: HeadHeap): Member<Entry> | undefined {
    return heap.peek()?.member;
  }
}

export const globalStrictFairnessPolicy = definePlugin({
  type: 'global-strict-fairness-policy',
  kinds: ['fairness'],
  stability: 'beta',
  summary: 'Serves the request that is first over all flows of a band by its ordering, as if they were one queue.',
  parameters: {},
  create: ({ type, name }) => new GlobalStrict(type, name),
});
