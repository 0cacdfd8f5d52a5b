// SPDX-License-Identifier: Apache-2.0

/** The section `fairness`. */

import { refuseDuplicates } from './resolution.ts';
import type { Resolution, Section } from './resolution.ts';
import type { FairnessConfig } from './resolved.ts';

export function resolveFairness(resolution: Resolution): Section<FairnessConfig> {
  const { weights: given, defaultWeight } = resolution.fields.fairness;
  const weights = given.flatMap((entry, index) => {
    if (entry === undefined) return [];
    const { id, glob, weight } = entry;
    if ((id === undefined) === (glob === undefined)) {
      const message = 'needs one of id and glob: whose weight it is';
      resolution.problems.push({ path: ['fairness', 'weights', index], message, allowed: '`id` or `glob`' });
      return [];
    }
    if (weight === undefined) return [];
    return [{ ...(id !== undefined && { id }), ...(glob !== undefined && { glob }), weight }];
  });
  for (const field of ['id', 'glob'] as const) {
    const names = given.map((entry, index) => ({ value: entry?.[field], path: ['fairness', 'weights', index, field] }));
    refuseDuplicates(resolution, names, (name) => `duplicate ${field} '${String(name)}'`);
  }
  const resolved = { weights, defaultWeight };
  return { resolved, document: resolved };
}
