// SPDX-License-Identifier: Apache-2.0

/**
 * Given values against their specification: strict (an unknown field is a problem), complete (every problem, not the
 * first), and with the defaults filled in. A null counts as not given, as in the reference.
 */

import { allowedText } from './allowed-text.ts';
import { nearestName } from './nearest-name.ts';
import type {
  DurationSpec,
  HalfCheckedOf,
  NumberSpec,
  ParameterSpec,
  ParameterSpecs,
  ParametersOf,
  QuantitySpec,
  StringSpec,
} from './parameters.ts';
import { meant, shown } from './problem.ts';
import type { Path, Problem } from './problem.ts';
import { parseDuration, parseQuantity } from './quantities.ts';

/** All values, or all problems. */
export type CheckedParameters<S extends ParameterSpecs> =
  | { readonly values: ParametersOf<S>; readonly problems?: undefined }
  | { readonly values?: undefined; readonly problems: readonly Problem[] };

/** Checks `given` (a mapping, or nothing) found at `path`. */
export function checkParameters<S extends ParameterSpecs>(
  specs: S,
  given: unknown,
  path: Path = [],
): CheckedParameters<S> {
  const problems: Problem[] = [];
  const values = halfCheckParameters(specs, given, { path, problems });
  return problems.length === 0 ? { values: values as ParametersOf<S> } : { problems };
}

/** Where a check is, and where its problems go. */
export interface CheckPlace {
  readonly path: Path;
  readonly problems: Problem[];
}

/** As `checkParameters`, but returns what was good in spite of problems, so that a caller can look for more of them. */
export function halfCheckParameters<S extends ParameterSpecs>(
  specs: S,
  given: unknown,
  place: CheckPlace,
): HalfCheckedOf<S> {
  return checkFields(specs, given ?? {}, place) as HalfCheckedOf<S>;
}

function checkFields(specs: ParameterSpecs, given: unknown, { path, problems }: CheckPlace): Record<string, unknown> {
  if (!isMapping(given)) {
    problems.push(mismatch('a mapping', given, { path }));
    return checkFields(specs, {}, { path, problems: [] });
  }
  for (const key of Object.keys(given)) {
    if (!Object.hasOwn(specs, key)) problems.push(unknownField(key, Object.keys(specs), path));
  }
  const values: Record<string, unknown> = {};
  for (const [key, spec] of Object.entries(specs)) {
    values[key] = checkField(spec, Object.hasOwn(given, key) ? given[key] : undefined, {
      path: [...path, key],
      problems,
    });
  }
  return values;
}

function checkField(spec: ParameterSpec, given: unknown, place: CheckPlace): unknown {
  if (given !== undefined && given !== null) return checkValue(spec, given, place) ?? defaultOf(spec);
  if (spec.required === true) {
    const allowed = allowedText(spec);
    place.problems.push({ path: place.path, message: `is missing; required is ${allowed}`, allowed });
  }
  return defaultOf(spec);
}

function defaultOf(spec: ParameterSpec): unknown {
  if (spec.type === 'object' && spec.default !== undefined)
    return checkFields(spec.fields, {}, { path: [], problems: [] });
  return spec.default;
}

function checkValue(spec: ParameterSpec, given: unknown, place: CheckPlace): unknown {
  switch (spec.type) {
    case 'any':
      return given;
    case 'object':
      if (isMapping(given)) return checkFields(spec.fields, given, place);
      place.problems.push(mismatch('a mapping', given, { path: place.path, hidden: spec.hidden }));
      return undefined;
    case 'list':
      return checkList(spec, given, place);
    case 'map':
      return checkMap(given, place);
    default: {
      const value = scalarOf(spec, given);
      if (value === undefined) place.problems.push(badScalar(spec, given, place.path));
      return value;
    }
  }
}

function checkList(spec: ParameterSpec & { type: 'list' }, given: unknown, { path, problems }: CheckPlace): unknown {
  if (!Array.isArray(given) || given.length > (spec.maxItems ?? Infinity)) {
    problems.push(mismatch(allowedText(spec), given, { path, hidden: spec.hidden }));
    return undefined;
  }
  return given.map((item: unknown, index) => {
    const place = { path: [...path, index], problems };
    if (item !== null && item !== undefined) return checkValue(spec.of, item, place);
    const allowed = allowedText(spec.of);
    problems.push({ path: place.path, message: `is empty; allowed is ${allowed}`, allowed });
    return undefined;
  });
}

function checkMap(given: unknown, { path, problems }: CheckPlace): Record<string, string> | undefined {
  if (!isMapping(given)) {
    problems.push(mismatch('a mapping of names to texts', given, { path }));
    return undefined;
  }
  const texts = Object.entries(given).filter((entry): entry is [string, string] => {
    const isText = typeof entry[1] === 'string';
    if (!isText) problems.push(mismatch('a text', entry[1], { path: [...path, entry[0]], hint: quotesHint(entry[1]) }));
    return isText;
  });
  return Object.fromEntries(texts);
}

type ScalarSpec = Exclude<ParameterSpec, { type: 'any' | 'object' | 'list' | 'map' }>;

function scalarOf(spec: ScalarSpec, given: unknown): unknown {
  switch (spec.type) {
    case 'boolean':
      return typeof given === 'boolean' ? given : undefined;
    case 'plugin-ref':
      return typeof given === 'string' && given !== '' ? given : undefined;
    case 'string':
      return typeof given === 'string' && isAllowedText(spec, given) ? given : undefined;
    case 'number':
    case 'integer':
      return typeof given === 'number' ? inRange(spec, spec.type === 'integer' ? wholeOf(given) : given) : undefined;
    case 'duration':
      if (given === 0) return inRange(spec, 0);
      return typeof given === 'string' ? inRange(spec, parseDuration(given)) : undefined;
    case 'quantity':
      return typeof given === 'string' || typeof given === 'number' ? inRange(spec, parseQuantity(given)) : undefined;
  }
}

function wholeOf(given: number): number | undefined {
  return Number.isSafeInteger(given) ? given + 0 : undefined;
}

function isAllowedText(spec: StringSpec, text: string): boolean {
  return (spec.choices?.includes(text) ?? true) && (spec.pattern?.test.test(text) ?? true);
}

function inRange(spec: NumberSpec | DurationSpec | QuantitySpec, value: number | undefined): number | undefined {
  if (value === undefined || !Number.isFinite(value)) return undefined;
  const isNumber = spec.type === 'number' || spec.type === 'integer';
  const { min = isNumber ? -Infinity : 0, max = Infinity } = spec;
  if (value < min || value > max) return undefined;
  if (isNumber && ((spec.exclusiveMin === true && value === min) || (spec.exclusiveMax === true && value === max))) {
    return undefined;
  }
  return value;
}

function badScalar(spec: ScalarSpec, given: unknown, path: Path): Problem {
  const hint = spec.type === 'string' || spec.type === 'plugin-ref' ? quotesHint(given) : unitHint(spec, given);
  return mismatch(allowedText(spec), given, {
    path,
    hint,
    suggestion: suggestionFor(spec, given),
    hidden: spec.hidden,
  });
}

/** YAML 1.1 spellings of booleans that the reference reads as such, and near misses of a choice. */
function suggestionFor(spec: ScalarSpec, given: unknown): string | undefined {
  if (typeof given !== 'string') return undefined;
  if (spec.type === 'boolean') {
    if (/^(y|yes|on|true|1)$/i.test(given)) return 'true';
    return /^(n|no|off|false|0)$/i.test(given) ? 'false' : undefined;
  }
  return spec.type === 'string' && spec.choices !== undefined ? nearestName(given, spec.choices) : undefined;
}

function quotesHint(given: unknown): string {
  return typeof given === 'number' || typeof given === 'boolean' ? ' (put it in quotes to make it a text)' : '';
}

function unitHint(spec: ScalarSpec, given: unknown): string {
  return spec.type === 'duration' && typeof given === 'number' ? ' (a duration needs its unit)' : '';
}

interface MismatchDetails {
  readonly path: Path;
  readonly hint?: string;
  readonly suggestion?: string | undefined;
  readonly hidden?: boolean | undefined;
}

function mismatch(allowed: string, given: unknown, details: MismatchDetails): Problem {
  const { path, hint = '', suggestion, hidden = false } = details;
  if (hidden) return { path, message: `must be ${allowed}${hint}; the value is not shown here`, allowed };
  const message = `must be ${allowed}, got ${shown(given)}${hint}${meant(suggestion)}`;
  return { path, message, value: scalarOrText(given), allowed, ...(suggestion === undefined ? {} : { suggestion }) };
}

function scalarOrText(given: unknown): unknown {
  return typeof given === 'object' ? shown(given) : given;
}

function unknownField(key: string, known: readonly string[], path: Path): Problem {
  const suggestion = nearestName(key, known);
  const allowed = known.length === 0 ? 'no fields' : known.join(', ');
  const message = `unknown field ${shown(key)}${suggestion === undefined ? `; allowed: ${allowed}` : meant(suggestion)}`;
  const problem: Problem = { path: [...path, key], message, value: key, allowed, at: 'key' };
  return suggestion === undefined ? problem : { ...problem, suggestion };
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
