// SPDX-License-Identifier: Apache-2.0

/** Which fields of another configuration do not count before a restart: those that the schema marks with `restart`. */

import { isDeepStrictEqual } from 'node:util';
import { dotted } from '@fairlead/core';
import type { ParameterSpec, ParameterSpecs, Path } from '@fairlead/core';
import { configFields } from './schema.ts';

type Document = Readonly<Record<string, unknown>>;

/** The marked fields in which two documents differ, such as `gateway.maxConnections`; in a list, the list as a whole. */
export function fieldsThatNeedRestart(
  before: Document,
  after: Document,
  specs: ParameterSpecs = configFields,
): readonly string[] {
  return markedPaths(specs, []).flatMap((path) =>
    isDeepStrictEqual(valueAt(before, path), valueAt(after, path)) ? [] : [dotted(path)],
  );
}

/** Fields of lists have no path of their own: their list is what differs. */
function markedPaths(specs: ParameterSpecs, path: Path): Path[] {
  return Object.entries(specs).flatMap(([name, spec]) => {
    const own = [...path, name];
    if (isMarked(spec)) return [own];
    return spec.type === 'object' ? markedPaths(spec.fields, own) : [];
  });
}

function isMarked(spec: ParameterSpec): boolean {
  if (spec.restart === true) return true;
  if (spec.type !== 'list') return false;
  return isMarked(spec.of) || (spec.of.type === 'object' && Object.values(spec.of.fields).some(isMarked));
}

function valueAt(document: Document, path: Path): unknown {
  return path.reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], document);
}
