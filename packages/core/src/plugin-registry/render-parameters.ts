// SPDX-License-Identifier: Apache-2.0

/**
 * Checked values back into the notation of the configuration file: durations with their unit, what is not set left out.
 * `checkParameters` reads the result as the same values again.
 */

import type { ParameterSpec, ParameterSpecs } from './parameters.ts';
import { formatDuration } from './quantities.ts';

/** Plain data for YAML or JSON. */
export function renderParameters(
  specs: ParameterSpecs,
  values: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const known = Object.entries(specs).filter(([key]) => values[key] !== undefined);
  return Object.fromEntries(known.map(([key, spec]) => [key, renderValue(spec, values[key])]));
}

function renderValue(spec: ParameterSpec, value: unknown): unknown {
  if (spec.type === 'duration') return formatDuration(value as number);
  if (spec.type === 'object') return renderParameters(spec.fields, value as Record<string, unknown>);
  if (spec.type === 'list') return (value as readonly unknown[]).map((item) => renderValue(spec.of, item));
  return value;
}
