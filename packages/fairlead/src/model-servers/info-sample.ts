// SPDX-License-Identifier: Apache-2.0

/**
 * A metric that says what it has to say in its labels, as Prometheus' info metrics do. Of several series the one with the
 * largest value counts: engines leave the old ones on the page, and the value is when each was written.
 */

import type { EngineCache, EngineLora } from '@fairlead/core';
import type { CacheInfoNames, LoraInfoNames } from './engine-metrics.ts';

const LABEL = /[\s,{]*([A-Za-z_]\w*)\s*=\s*"((?:[^"\\]|\\.)*)"/y;
const ESCAPE = /\\([\\"n])/g;

/** More adapters than any engine holds. */
const MAX_ADAPTERS = 1024;

export class InfoSample {
  readonly name: string;
  readonly bytes: Uint8Array;
  #labels: string | undefined;
  #value = -Infinity;

  constructor(name: string) {
    this.name = name;
    this.bytes = Buffer.from(name, 'latin1');
  }

  /** A series: its labels as they stand on the page, braces included, and its value. */
  take(labels: string, value: number): void {
    if (!(value > this.#value)) return;
    this.#value = value;
    this.#labels = labels;
  }

  /** The labels of the series that counts; undefined without one. */
  get labels(): ReadonlyMap<string, string> | undefined {
    return this.#labels === undefined ? undefined : readLabels(this.#labels);
  }
}

/** What the labels say of the cache; undefined when they do not say it in sane numbers. */
export function cacheOf(
  labels: ReadonlyMap<string, string> | undefined,
  names: CacheInfoNames,
): EngineCache | undefined {
  const blockTokens = countIn(labels?.get(names.blockTokens));
  const blocks = countIn(labels?.get(names.blocks));
  return blockTokens === undefined || blocks === undefined ? undefined : { blockTokens, blocks };
}

/** What the labels say of adapters; undefined when they do not say how many run at once. */
export function loraOf(labels: ReadonlyMap<string, string> | undefined, names: LoraInfoNames): EngineLora | undefined {
  const max = countIn(labels?.get(names.max));
  if (labels === undefined || max === undefined) return undefined;
  return { running: adaptersIn(labels.get(names.running)), waiting: adaptersIn(labels.get(names.waiting)), max };
}

/** The labels of a series, as they stand on the page. */
export function readLabels(text: string): ReadonlyMap<string, string> {
  const labels = new Map<string, string>();
  LABEL.lastIndex = 0;
  for (let found = LABEL.exec(text); found !== null; found = LABEL.exec(text)) {
    const [, name = '', value = ''] = found;
    labels.set(
      name,
      value.replaceAll(ESCAPE, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped)),
    );
  }
  return labels;
}

function countIn(text: string | undefined): number | undefined {
  const count = text !== undefined && /^\d{1,12}$/.test(text) ? Number(text) : 0;
  return count > 0 ? count : undefined;
}

function adaptersIn(text = ''): ReadonlySet<string> {
  const names = text.split(',', MAX_ADAPTERS).map((name) => name.trim());
  return new Set(names.filter((name) => name !== ''));
}
