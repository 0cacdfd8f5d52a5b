// SPDX-License-Identifier: Apache-2.0

/** The section `modelRewrites`: names that stand for models, and who is chosen how often. */

import { refuseDuplicates } from './resolution.ts';
import type { Resolution } from './resolution.ts';
import type { ModelRewrite } from './resolved.ts';

export function resolveRewrites(resolution: Resolution): readonly ModelRewrite[] {
  const given = resolution.fields.modelRewrites;
  const places = given.map((rule, index) => ({ rule, path: ['modelRewrites', index] as const }));
  refuseDuplicates(
    resolution,
    places.map(({ rule, path }) => ({ value: rule?.name, path: [...path, 'name'] })),
    (name) => `duplicate model rewrite '${String(name)}'`,
  );
  const matches = places.flatMap(({ rule, path }) =>
    (rule?.matches ?? []).map((match, place) => ({ value: match?.model?.value, path: [...path, 'matches', place] })),
  );
  refuseDuplicates(resolution, matches, (model) => `another rule is for model '${String(model)}' already`);
  const generic = places.filter(({ rule }) => rule !== undefined && rule.matches.length === 0);
  for (const { path } of generic.slice(1)) {
    const message = 'another rule without `matches` comes before, so this one is for nothing';
    resolution.problems.push({ path, message, at: 'key' });
  }
  return places.flatMap(({ rule, path }) => {
    if (rule?.name === undefined) return [];
    const targets = rule.targets.flatMap((target) =>
      target?.modelRewrite === undefined ? [] : [{ modelRewrite: target.modelRewrite, weight: target.weight }],
    );
    if (rule.targets.length === 0) {
      resolution.problems.push({ path: [...path, 'targets'], message: 'must have at least one target', at: 'key' });
    }
    const isWeighted = targets.some(({ weight }) => weight !== undefined);
    for (const { modelRewrite, weight } of targets) {
      if (!isWeighted || weight !== undefined) continue;
      const message = `target '${modelRewrite}' has no weight and others have, so it is never chosen`;
      resolution.warnings.push({ path: [...path, 'targets'], message, at: 'key' });
    }
    const models = rule.matches.flatMap((match) => (match?.model?.value === undefined ? [] : [match.model.value]));
    return [{ name: rule.name, models, targets }];
  });
}

/** The section as a file says it. */
export function rewritesDocument(rewrites: readonly ModelRewrite[]): readonly object[] {
  return rewrites.map(({ name, models, targets }) => ({
    name,
    matches: models.map((value) => ({ model: { type: 'Exact', value } })),
    targets: targets.map(({ modelRewrite, weight }) => ({ modelRewrite, ...(weight !== undefined && { weight }) })),
  }));
}
