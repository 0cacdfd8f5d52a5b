// SPDX-License-Identifier: Apache-2.0

/**
 * Which flow is next? First which organisation, then which of its teams, then whose key, as far as paths go. Choose it
 * when shares belong to more than tenants: a team that has many keys gets no more than one that has few, and what a team
 * leaves goes to the others of its organisation before anybody else gets it.
 *
 * A request's path is that of its key or tenant (`identity.keys[].path`, `identity.tenants[].path`), or what a trusted
 * source names it with slashes. At each node of the tree stands another fairness policy, the virtual token counter
 * unless `nodePolicyRef` says otherwise, which shares among what is directly below: hierarchical packet fair queueing
 * (Bennett and Zhang, SIGCOMM 1996) by composition. Weights of organisations and teams are parameters, those of flows are
 * their own.
 *
 * Bound: between two that stand below the same node and both stay backlogged, that of the node's policy, with K the
 * requests in flight below each; none between flows of different nodes, because what a flow is due there depends on who
 * else is asking. Costs what the node's policy costs at each level of the path; a path has eight at most. Memory: up to
 * `maxBranches` organisations and teams are told apart; then the one that was idle for longest is forgotten, and while all
 * of them are busy those who come anew share one.
 */

import type { BandContext, FairnessPolicy, Member } from '../../flow-control/policies.ts';
import { definePlugin } from '../../plugin-registry/plugin.ts';
import { FairnessTree, Leaf } from './fairness-tree.ts';
import type { TreeOptions } from './fairness-tree.ts';

class Hierarchical implements FairnessPolicy<FairnessTree, Leaf> {
  readonly type: string;
  readonly name: string;
  readonly #options: Omit<TreeOptions, 'context'>;

  constructor(type: string, name: string, options: Omit<TreeOptions, 'context'>) {
    this.type = type;
    this.name = name;
    this.#options = options;
  }

  weightAt(path: string): number {
    return this.#options.weightOf(path);
  }

  newState(context: BandContext, band?: FairnessTree): FairnessTree {
    return new FairnessTree({ ...this.#options, context }, band !== undefined);
  }

  newMemberState(): Leaf {
    return new Leaf();
  }

  ready(tree: FairnessTree, member: Member<Leaf>): void {
    tree.ready(member);
  }

  unready(tree: FairnessTree, member: Member<Leaf>): void {
    tree.unready(member);
  }

  pick(tree: FairnessTree): Member<Leaf> | undefined {
    return tree.pick();
  }

  charge(tree: FairnessTree, member: Member<Leaf>, cost: number): void {
    tree.charge(member, cost);
  }

  settle(tree: FairnessTree, member: Member<Leaf>, delta: number): void {
    tree.settle(member, delta);
  }

  facts(tree: FairnessTree): Readonly<Record<string, number>> {
    return tree.facts;
  }
}

/** By the path itself, else by the first pattern in which a star stands for one name. */
function weigher(weights: readonly { readonly path: string; readonly weight: number }[]): (path: string) => number {
  const exact = new Map(weights.map(({ path, weight }) => [path, weight]));
  const patterns = weights
    .filter(({ path }) => path.split('/').includes('*'))
    .map(({ path, weight }) => ({ names: path.split('/'), weight }));
  return (path) => {
    const names = path.split('/');
    const fits = (pattern: readonly string[]): boolean =>
      pattern.length === names.length && pattern.every((name, index) => name === '*' || name === names[index]);
    return exact.get(path) ?? patterns.find((pattern) => fits(pattern.names))?.weight ?? 1;
  };
}

export const hierarchicalFairnessPolicy = definePlugin({
  type: 'hierarchical-fairness-policy',
  kinds: ['fairness'],
  stability: 'beta',
  summary: 'Shares among organisations, then among their teams, then among keys, with a fairness policy at each node.',
  parameters: {
    nodePolicyRef: {
      type: 'plugin-ref',
      kind: 'fairness',
      default: 'virtual-token-counter-fairness-policy',
      doc: 'The policy at each node.',
    },
    weights: {
      type: 'list',
      default: [],
      maxItems: 10_000,
      doc: 'Shares of organisations and teams; 1 for those that are not named.',
      of: {
        type: 'object',
        doc: 'A share.',
        fields: {
          path: {
            type: 'string',
            required: true,
            pattern: { test: /^[!-~]{1,512}$/, allowed: 'names separated by slashes, `*` for any one name' },
            doc: '`org`, `org/team`, `org/*`.',
          },
          weight: {
            type: 'number',
            required: true,
            min: 0,
            exclusiveMin: true,
            max: 1_000_000,
            doc: 'Relative to those directly below the same node.',
          },
        },
      },
    },
    maxBranches: {
      type: 'integer',
      default: 10_000,
      min: 1,
      max: 1_000_000,
      doc: 'Organisations and teams that are told apart in a band.',
    },
  },
  create: ({ type, name, parameters: { nodePolicyRef, weights, maxBranches }, handle }) => {
    const node = handle.get(nodePolicyRef, 'fairness') as FairnessPolicy;
    return new Hierarchical(type, name, { node, maxBranches, weightOf: weigher(weights) });
  },
});
