// SPDX-License-Identifier: Apache-2.0

/**
 * Flows as the leaves of a tree, with a fairness policy at each node that knows nothing of trees: to it the node's
 * children are flows. A branch is eligible while anything below it is; who is served is found from the root down, and
 * what that costs is charged from the leaf up.
 *
 * Branches are made as paths name them, and those with nothing below that waits are kept for what they are charged, up to
 * a number: then the one that was idle for longest is forgotten, and when there is none, whoever comes by a new path
 * shares a branch `other` with all who do.
 */

import type { BandContext, FairnessPolicy, Member, Waiting } from '../../flow-control/policies.ts';

/** A path has so many names at most, the flow's own included; what is deeper stands at that depth. */
export const MAX_DEPTH = 8;

/** What weights know a branch by that stands for those for whom there is none. */
const OTHERS = 'the others';

/** What a tree is made with. */
export interface TreeOptions {
  /** Asked at every node. */
  readonly node: FairnessPolicy;
  readonly context: BandContext;
  readonly maxBranches: number;
  weightOf(path: string): number;
}

/** What the policy of a node sees as a member. */
interface Child extends Member {
  parent: Branch | undefined;
  spell: number;
}

class Branch implements Child {
  readonly id: string;
  readonly weight: number;
  readonly state: unknown;
  readonly parent: Branch | undefined;
  spell = 0;
  /** State of the node's policy over its children. */
  readonly band: unknown;
  /** By name. */
  readonly children = new Map<string, Branch>();
  /** For all that there was no branch for; not among the children, because a path may have any name. */
  others: Branch | undefined;
  /** Children that are eligible. */
  ready = 0;
  isForgotten = false;
  /** While it is idle: its neighbours among those that are. */
  isIdle = false;
  idleBefore: Branch | undefined;
  idleAfter: Branch | undefined;
  readonly #node: FairnessPolicy;

  constructor({ node, context, weightOf }: TreeOptions, id: string, parent?: Branch) {
    this.#node = node;
    this.id = id;
    this.parent = parent;
    this.weight = weightOf(id);
    this.state = node.newMemberState();
    this.band = node.newState(context);
  }

  /** The child to serve next. */
  get next(): Child | undefined {
    return this.#node.pick(this.band) as Child | undefined;
  }

  get head(): Waiting {
    return (this.next as Child).head;
  }
}

/** Branches without anything eligible, idle for longest first. They come and go with nearly every request, so links do. */
class IdleBranches {
  first: Branch | undefined;
  #last: Branch | undefined;
  size = 0;

  add(branch: Branch): void {
    branch.isIdle = true;
    branch.idleBefore = this.#last;
    if (this.#last === undefined) this.first = branch;
    else this.#last.idleAfter = branch;
    this.#last = branch;
    this.size += 1;
  }

  /** Without effect when it is not idle. */
  remove(branch: Branch): void {
    if (!branch.isIdle) return;
    const { idleBefore, idleAfter } = branch;
    if (idleBefore === undefined) this.first = idleAfter;
    else idleBefore.idleAfter = idleAfter;
    if (idleAfter === undefined) this.#last = idleBefore;
    else idleAfter.idleBefore = idleBefore;
    branch.isIdle = false;
    branch.idleBefore = branch.idleAfter = undefined;
    this.size -= 1;
  }
}

/** A flow in its band's tree, or in that of the lot that it was parked in last. */
export class Leaf implements Child {
  /** Set when it first stands there. */
  flow: Member<Leaf> | undefined;
  tree: FairnessTree | undefined;
  parent: Branch | undefined;
  state: unknown;
  spell = -1;
  /** The flow's, fixed while it is ready. */
  weight = 1;
  /** The path that it stands at. */
  path = '';
  /** Of a leaf in a band's tree: the flow's leaf in a lot's. */
  lot: Leaf | undefined;

  get id(): string {
    return (this.flow as Member).id;
  }

  get head(): Waiting {
    return (this.flow as Member).head;
  }
}

export class FairnessTree {
  readonly isLot: boolean;
  readonly #options: TreeOptions;
  readonly #root: Branch;
  /** A branch comes after those below it. */
  readonly #idle = new IdleBranches();
  #branches = 0;
  #forgotten = 0;
  #folded = 0;

  constructor(options: TreeOptions, isLot: boolean) {
    this.#options = options;
    this.isLot = isLot;
    this.#root = new Branch(options, '');
  }

  /** How many branches there are, and what became of those that there was no place for. */
  get facts(): Readonly<Record<'branches' | 'idleBranches' | 'forgottenBranches' | 'foldedFlows', number>> {
    return {
      branches: this.#branches,
      idleBranches: this.#idle.size,
      forgottenBranches: this.#forgotten,
      foldedFlows: this.#folded,
    };
  }

  ready(flow: Member<Leaf>): void {
    const leaf = this.#leafOf(flow);
    if (leaf.tree !== this) this.#move(leaf, flow);
    const path = flow.head.request.fairnessPath ?? '';
    if (leaf.parent === undefined || leaf.path !== path || leaf.parent.isForgotten) this.#plant(leaf, path);
    // A flow that was parked meanwhile has kept all that it stands below eligible.
    const wasParked = leaf.spell === flow.spell;
    leaf.spell = flow.spell;
    leaf.weight = flow.weight;
    let child: Child = leaf;
    for (let branch = leaf.parent; branch !== undefined; branch = branch.parent) {
      this.#options.node.ready(branch.band, child);
      branch.ready += 1;
      if (branch.ready > 1) return;
      this.#idle.remove(branch);
      if (!wasParked) branch.spell += 1;
      child = branch;
    }
  }

  unready(flow: Member<Leaf>): void {
    let child: Child = this.#leafOf(flow);
    for (let branch = child.parent; branch !== undefined; branch = branch.parent) {
      this.#options.node.unready(branch.band, child);
      branch.ready -= 1;
      if (branch.ready > 0) return;
      if (branch !== this.#root) this.#idle.add(branch);
      child = branch;
    }
  }

  pick(): Member<Leaf> | undefined {
    let child = this.#root.next;
    while (child instanceof Branch) child = child.next;
    return (child as Leaf | undefined)?.flow;
  }

  /** Charges the flow's leaves, and every branch above them. */
  charge({ state }: Member<Leaf>, cost: number): void {
    this.#charge(state, cost);
    if (state.lot !== undefined) this.#charge(state.lot, cost);
  }

  settle({ state }: Member<Leaf>, delta: number): void {
    this.#settle(state, delta);
    if (state.lot !== undefined) this.#settle(state.lot, delta);
  }

  #charge(leaf: Leaf, cost: number): void {
    const { node } = this.#options;
    let child: Child = leaf;
    for (let branch = leaf.parent; branch !== undefined; branch = branch.parent) {
      node.charge?.(branch.band, child, cost);
      child = branch;
    }
  }

  #settle(leaf: Leaf, delta: number): void {
    const { node } = this.#options;
    let child: Child = leaf;
    for (let branch = leaf.parent; branch !== undefined; branch = branch.parent) {
      node.settle?.(branch.band, child, delta);
      child = branch;
    }
  }

  #leafOf({ state }: Member<Leaf>): Leaf {
    return this.isLot ? (state.lot ??= new Leaf()) : state;
  }

  /** Puts a leaf into this tree: it is new, or comes from another lot. */
  #move(leaf: Leaf, flow: Member<Leaf>): void {
    leaf.flow = flow;
    leaf.tree = this;
    leaf.parent = undefined;
    leaf.spell = -1;
  }

  /** Puts a leaf where its path says, with nothing charged there yet. */
  #plant(leaf: Leaf, path: string): void {
    const names = path.split('/', MAX_DEPTH).slice(0, -1);
    let branch = this.#root;
    for (const name of names) {
      // Two slashes in a row, or one in front, are nobody's name.
      if (name === '') continue;
      const parent = branch;
      branch = parent.children.get(name) ?? this.#grow(parent, name);
      if (branch !== parent.others) continue;
      this.#folded += 1;
      break;
    }
    leaf.path = path;
    leaf.parent = branch;
    leaf.state = this.#options.node.newMemberState();
  }

  #grow(parent: Branch, name: string): Branch {
    if (this.#branches >= this.#options.maxBranches && !this.#forgetOne(parent)) {
      return (parent.others ??= this.#make(parent, OTHERS));
    }
    this.#branches += 1;
    const branch = this.#make(parent, name);
    parent.children.set(name, branch);
    return branch;
  }

  #make(parent: Branch, name: string): Branch {
    const branch = new Branch(this.#options, parent.id === '' ? name : `${parent.id}/${name}`, parent);
    this.#idle.add(branch);
    return branch;
  }

  /** Forgets the branch that was idle for longest and has none below it; never one that is about to be used. */
  #forgetOne(spared: Branch): boolean {
    for (let branch = this.#idle.first; branch !== undefined; branch = branch.idleAfter) {
      if (branch === spared || branch.children.size > 0 || branch.others !== undefined) continue;
      const parent = branch.parent!;
      this.#idle.remove(branch);
      branch.isForgotten = true;
      this.#forgotten += 1;
      // The place of the others is none of those that are counted.
      if (branch === parent.others) parent.others = undefined;
      else {
        parent.children.delete(branch.id.slice(branch.id.lastIndexOf('/') + 1));
        this.#branches -= 1;
        return true;
      }
    }
    return false;
  }
}
