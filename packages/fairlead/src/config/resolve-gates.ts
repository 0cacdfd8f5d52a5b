// SPDX-License-Identifier: Apache-2.0

/** The `featureGates` and the parsers: what the reference's file may say of them. */

import { meant, nearestName } from '@fairlead/core';
import type { Path } from '@fairlead/core';
import { DEFAULT_PARSERS } from './defaults.ts';
import { refer } from './resolution.ts';
import type { Resolution, Section } from './resolution.ts';

const knownGates: readonly string[] = ['flowControl', 'haPopulateNonLeaderDatastore'];
/** Go's `strconv.ParseBool`, after trimming and lower-casing. */
const gateValues: Readonly<Record<string, boolean>> = {
  '1': true,
  t: true,
  true: true,
  '0': false,
  f: false,
  false: false,
};

/** Whether flow control is on. The last word of a gate counts. */
export function resolveFeatureGates(resolution: Resolution): Section<boolean, readonly string[]> {
  const gates = new Map<string, boolean>();
  for (const [index, gate] of resolution.fields.featureGates.entries()) {
    if (gate !== undefined) readGate(resolution, gate, { path: ['featureGates', index], gates });
  }
  const isOn = gates.get('flowControl') ?? resolution.defaults.flowControl;
  gates.set('flowControl', isOn);
  return { resolved: isOn, document: [...gates].map(([name, value]) => `${name}=${value}`) };
}

function readGate(
  { problems }: Resolution,
  gate: string,
  { path, gates }: { readonly path: Path; readonly gates: Map<string, boolean> },
): void {
  const [name = '', ...rest] = gate.split('=');
  const text = rest.length === 0 ? 'true' : rest.join('=').trim().toLowerCase();
  const value = Object.hasOwn(gateValues, text) ? gateValues[text] : undefined;
  if (!knownGates.includes(name)) {
    const suggestion = nearestName(name, knownGates);
    const message = `feature gate '${name}' is unknown or unregistered${meant(suggestion)}`;
    const allowed = knownGates.join(', ');
    problems.push({ path, message, value: gate, allowed, ...(suggestion === undefined ? {} : { suggestion }) });
  } else if (value === undefined) {
    const allowed = 'true or false';
    const message = `'${text}' is not a valid value for the feature gate ${name}; allowed is ${allowed}`;
    problems.push({ path, message, value: gate, allowed });
  } else {
    gates.set(name, value);
  }
}

/** Checks that the parsers are parsers; the deprecated top-level field counts when the list is empty. */
export function resolveParsers(resolution: Resolution): Readonly<Record<string, unknown>> {
  const { fields, warnings } = resolution;
  const { parsers } = fields.requestHandler;
  if (fields.parser !== undefined) {
    warnings.push({ path: ['parser'], message: 'is deprecated: use requestHandler.parsers', at: 'key' });
  }
  const listed = parsers.map((parser, index) => ({
    name: parser?.pluginRef,
    path: ['requestHandler', 'parsers', index, 'pluginRef'] as Path,
  }));
  if (listed.length === 0 && fields.parser !== undefined) {
    listed.push({ name: fields.parser.pluginRef, path: ['parser', 'pluginRef'] });
  }
  if (listed.length === 0) listed.push(...DEFAULT_PARSERS.map((name) => ({ name, path: ['requestHandler'] })));
  const named = listed.flatMap(({ name, path }) => (name === undefined ? [] : [{ name, path }]));
  for (const { name, path } of named) refer(resolution, { name, kind: 'parser', path });
  return { parsers: named.map(({ name }) => ({ pluginRef: name })) };
}
