// SPDX-License-Identifier: Apache-2.0

/**
 * Which endpoints belong together: those that share a base model, directly or through a third, form one pool. Adapters
 * do not join pools, they only narrow the choice within one. Pools are matched to the groups of the moment so that a
 * pool outlives changes: it is the same object while it keeps any of its endpoints or models, and with it the queue
 * in front of it.
 */

/** What grouping looks at. */
export interface Groupable {
  readonly baseModels: ReadonlySet<string>;
}

/** Endpoints that belong together, and the base models they serve. */
export interface EndpointGroup<E extends Groupable = Groupable> {
  readonly endpoints: readonly E[];
  readonly models: ReadonlySet<string>;
}

/**
 * The connected components of endpoints and base models (union-find with path halving), in order of their first
 * endpoint. Endpoints without a base model belong nowhere.
 */
export function groupEndpoints<E extends Groupable>(endpoints: readonly E[]): EndpointGroup<E>[] {
  const parents = endpoints.map((_endpoint, index) => index);
  const find = (start: number): number => {
    let index = start;
    while (parents[index] !== index) {
      parents[index] = parents[parents[index]!]!;
      index = parents[index]!;
    }
    return index;
  };
  const firstWith = new Map<string, number>();
  endpoints.forEach((endpoint, index) => {
    for (const model of endpoint.baseModels) {
      const other = firstWith.get(model);
      if (other === undefined) firstWith.set(model, index);
      else parents[find(index)] = find(other);
    }
  });
  const groups = new Map<number, { endpoints: E[]; models: Set<string> }>();
  endpoints.forEach((endpoint, index) => {
    if (endpoint.baseModels.size === 0) return;
    const root = find(index);
    let group = groups.get(root);
    if (group === undefined) groups.set(root, (group = { endpoints: [], models: new Set() }));
    group.endpoints.push(endpoint);
    for (const model of endpoint.baseModels) group.models.add(model);
  });
  return [...groups.values()];
}

/**
 * For each group the index of the one of `before` that it continues, or undefined when it is new. Each of `before` is
 * continued once at most. The strongest bond goes first: most endpoints in common, then most models in common, then
 * the older; so the larger part of a pool that falls apart keeps it, and of two that grow together one remains.
 */
export function continueGroups<E extends Groupable>(
  groups: readonly EndpointGroup<E>[],
  before: readonly EndpointGroup<E>[],
): (number | undefined)[] {
  const bonds = groups.flatMap((group, groupIndex) => bondsOf(group, before).map((bond) => ({ ...bond, groupIndex })));
  bonds.sort((a, b) => b.endpoints - a.endpoints || b.models - a.models || a.oldIndex - b.oldIndex);
  const continued: (number | undefined)[] = groups.map(() => undefined);
  const taken = new Set<number>();
  for (const { groupIndex, oldIndex } of bonds) {
    if (continued[groupIndex] !== undefined || taken.has(oldIndex)) continue;
    continued[groupIndex] = oldIndex;
    taken.add(oldIndex);
  }
  return continued;
}

interface Bond {
  readonly oldIndex: number;
  /** Endpoints and models in common; one of them is not 0. */
  readonly endpoints: number;
  readonly models: number;
}

/** What one group has in common with those of `before`. */
function bondsOf<E extends Groupable>(group: EndpointGroup<E>, before: readonly EndpointGroup<E>[]): Bond[] {
  const members = new Set<E>(group.endpoints);
  return before.flatMap((old, oldIndex) => {
    const endpoints = old.endpoints.filter((endpoint) => members.has(endpoint)).length;
    const models = [...old.models].filter((model) => group.models.has(model)).length;
    return endpoints + models === 0 ? [] : [{ oldIndex, endpoints, models }];
  });
}
