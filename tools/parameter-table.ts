// SPDX-License-Identifier: Apache-2.0

/** Parameters as the reference pages show them: one row each, with what is allowed and what holds without it. */

import { allowedText, formatDuration } from '@fairlead/core';
import type { ParameterSpec } from '@fairlead/core';

/** `heading` names the first column: what the parameters are called on this page. */
export function parameterTable(
  heading: string,
  specs: readonly (readonly [name: string, spec: ParameterSpec])[],
): string {
  const rows = [[heading, 'Allowed', 'Default', 'Meaning'], ['---', '---', '---', '---'], ...specs.map(row)];
  return rows.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function row([name, spec]: readonly [string, ParameterSpec]): string[] {
  return [`\`${name}\``, allowed(spec), defaultText(spec), spec.doc].map((cell) => cell.replaceAll('|', '\\|'));
}

function allowed(spec: ParameterSpec): string {
  const plainList = spec.type === 'list' && spec.of.type !== 'object';
  return plainList ? `${allowedText(spec)}, each ${allowedText(spec.of)}` : allowedText(spec);
}

function defaultText(spec: ParameterSpec): string {
  if (spec.required === true) return 'required';
  if (spec.defaultDoc !== undefined) return spec.defaultDoc;
  if (spec.default === undefined) return 'none';
  if (spec.type === 'duration') return `\`${formatDuration(spec.default)}\``;
  if (spec.type === 'quantity') return `\`${quantityText(spec.default)}\``;
  if (spec.type === 'list' || spec.type === 'map' || spec.type === 'object') return 'empty';
  return `\`${JSON.stringify(spec.default)}\``;
}

function quantityText(value: number): string {
  for (const [suffix, scale] of [
    ['Mi', 1024 ** 2],
    ['Ki', 1024],
  ] as const) {
    if (value > 0 && value % scale === 0) return `${value / scale}${suffix}`;
  }
  return String(value);
}
