// SPDX-License-Identifier: Apache-2.0

/**
 * A parsed YAML tree to plain data. Remembers where every key and value came from; an alias is read again where it
 * stands (so that a place belongs to every value) but counts against the same limit, which ends entity-expansion attacks.
 */

import type { Path, Problem } from '@fairlead/core';
import { shown } from '@fairlead/core';
import { isAlias, isMap, isScalar, isSeq } from 'yaml';
import type { Node, Scalar, YAMLMap } from 'yaml';

/** Values in the tree at most, those reached through aliases included. */
const MAX_NODES = 50_000;
const MAX_DEPTH = 32;
/** Reaching a prototype through data is never wanted. */
const pollutingKeys: readonly string[] = ['__proto__', 'constructor', 'prototype'];
const MAX_PROBLEMS = 100;

export type OffsetProblem = Problem & { readonly offset: number };

interface Offsets {
  readonly key: number;
  readonly value: number;
}

export class TreeReader {
  readonly problems: OffsetProblem[] = [];
  readonly #offsets = new Map<string, Offsets>();
  readonly #anchors = new Map<string, Node>();
  #nodes = 0;

  /** The data below `node`; what is bad in it is null and a problem. */
  read(node: unknown, path: Path = []): unknown {
    if (node === null || node === undefined) return null;
    this.#nodes += 1;
    if (this.#nodes > MAX_NODES) return this.#refuse(node, path, `has more than ${MAX_NODES} values, aliases included`);
    if (path.length > MAX_DEPTH) return this.#refuse(node, path, `is nested more than ${MAX_DEPTH} levels deep`);
    if (isAlias(node)) return this.#readAlias(node, path);
    const anchor = (node as { anchor?: string }).anchor;
    if (anchor !== undefined) this.#anchors.set(anchor, node as Node);
    const { tag } = node as { tag?: string };
    if (tag !== undefined && !/^tag:yaml\.org,2002:(str|int|float|bool|null|map|seq)$/.test(tag)) {
      return this.#refuse(node, path, `the tag ${shown(tag)} is not used in configuration`);
    }
    if (isMap(node)) return this.#readMap(node, path);
    if (isSeq(node)) return node.items.map((item, index) => this.#readAt(item, [...path, index], item));
    return isScalar(node) ? this.#readScalar(node, path) : null;
  }

  /** Where a value or key starts, or the nearest value around it. */
  offsetOf(path: Path, at: 'key' | 'value' = 'value'): number {
    for (let length = path.length; length > 0; length -= 1) {
      const offsets = this.#offsets.get(keyOf(path.slice(0, length)));
      // What is missing is told at the key of what should hold it.
      if (offsets !== undefined) return length < path.length ? offsets.key : offsets[at];
    }
    return 0;
  }

  #readAt(node: unknown, path: Path, keyNode: unknown): unknown {
    const value = startOf(node) ?? startOf(keyNode) ?? 0;
    this.#offsets.set(keyOf(path), { key: startOf(keyNode) ?? value, value });
    return this.read(node, path);
  }

  #readAlias(node: { readonly source: string }, path: Path): unknown {
    const target = this.#anchors.get(node.source);
    if (target === undefined)
      return this.#refuse(node, path, `there is no anchor ${shown(node.source)} before this alias`);
    return this.read(target, path);
  }

  #readMap(map: YAMLMap, path: Path): Record<string, unknown> {
    const fields: Record<string, unknown> = {};
    const merged: Record<string, unknown>[] = [];
    for (const pair of map.items) {
      const key = String(isScalar(pair.key) ? pair.key.value : pair.key);
      const at = [...path, key];
      if (isMergeKey(pair.key)) merged.push(...this.#readMerged(pair.value, path));
      else if (pollutingKeys.includes(key)) this.#refuse(pair.key, at, `the key ${shown(key)} is not allowed`);
      else if (Object.hasOwn(fields, key)) this.#refuse(pair.key, at, `duplicate key ${shown(key)}`);
      else fields[key] = this.#readAt(pair.value, at, pair.key);
    }
    return Object.assign({}, ...merged.reverse(), fields) as Record<string, unknown>;
  }

  /** What `<<` brings in: a mapping or a list of them, the first of which wins. */
  #readMerged(node: unknown, path: Path): Record<string, unknown>[] {
    const value = this.read(node, path);
    const mappings: unknown[] = Array.isArray(value) ? value : [value];
    if (mappings.every((item): item is Record<string, unknown> => typeof item === 'object' && item !== null))
      return mappings;
    this.#refuse(node, path, 'a merge key (`<<`) must name a mapping or a list of them');
    return [];
  }

  #readScalar(scalar: Scalar, path: Path): unknown {
    const { value, source } = scalar;
    if (typeof value === 'number' && source !== undefined && /^[-+]?0\d/.test(source)) {
      return this.#refuse(
        scalar,
        path,
        `${shown(source)} is another number in other YAML versions: leave the leading 0 out`,
      );
    }
    if (value === null || ['string', 'number', 'boolean'].includes(typeof value)) return value;
    return this.#refuse(scalar, path, 'is no text, number, boolean, list or mapping');
  }

  #refuse(node: unknown, path: Path, message: string): null {
    if (this.problems.length < MAX_PROBLEMS) this.problems.push({ path, message, offset: startOf(node) ?? 0 });
    return null;
  }
}

function keyOf(path: Path): string {
  return path.join('\u0000');
}

function startOf(node: unknown): number | undefined {
  return (node as { range?: readonly number[] | null } | null | undefined)?.range?.[0];
}

function isMergeKey(key: unknown): boolean {
  return (
    typeof key === 'symbol' ||
    (isScalar(key) && (typeof key.value === 'symbol' || (key.value === '<<' && key.type === 'PLAIN')))
  );
}
