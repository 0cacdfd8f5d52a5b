// SPDX-License-Identifier: Apache-2.0

/** What a parameter allows, in words: the same in messages and on reference pages. */

import { nounsOf } from './kinds.ts';
import type { DurationSpec, NumberSpec, ParameterSpec, QuantitySpec } from './parameters.ts';
import { formatDuration } from './quantities.ts';

/** `an integer from 1 to 65535`, `one of a, b`, `a duration such as 500ms or 1m30s, more than 0s`. */
export function allowedText(spec: ParameterSpec): string {
  switch (spec.type) {
    case 'integer':
      return `an integer${rangeText(spec, String)}`;
    case 'number':
      return `a number${rangeText(spec, String)}`;
    case 'duration':
      return `a duration such as \`500ms\` or \`1m30s\`${rangeText(spec, formatDuration)}`;
    case 'quantity':
      return `a quantity such as \`5000\`, \`500k\` or \`512Mi\`${rangeText(spec, String)}`;
    case 'boolean':
      return '`true` or `false`';
    case 'string':
      if (spec.choices !== undefined) return `one of ${spec.choices.map((choice) => `\`${choice}\``).join(', ')}`;
      return spec.pattern?.allowed ?? 'a text';
    case 'plugin-ref':
      return `the name of ${nounsOf([spec.kind])}`;
    case 'list':
      return spec.maxItems === undefined ? 'a list' : `a list of at most ${spec.maxItems}`;
    case 'map':
      return 'a mapping of names to texts';
    case 'object':
      return 'a mapping';
    case 'any':
      return 'any value';
  }
}

function rangeText(spec: NumberSpec | DurationSpec | QuantitySpec, text: (value: number) => string): string {
  const isNumber = spec.type === 'number' || spec.type === 'integer';
  const { min, max } = spec;
  const least =
    min === undefined ? undefined : `${isNumber && spec.exclusiveMin === true ? 'more than' : 'at least'} ${text(min)}`;
  const most =
    max === undefined ? undefined : `${isNumber && spec.exclusiveMax === true ? 'less than' : 'at most'} ${text(max)}`;
  const parts = [least, most].filter((part) => part !== undefined);
  return parts.length === 0 ? '' : `, ${parts.join(' and ')}`;
}
