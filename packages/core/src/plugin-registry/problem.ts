// SPDX-License-Identifier: Apache-2.0

/**
 * A mistake in configuration, as data: where it is, what is wrong, what would have been allowed. Checks return all of
 * them at once; whoever read the text adds line and column.
 */

/** Keys and indices from the root of the configuration to a value. */
export type Path = readonly (string | number)[];

export interface Problem {
  readonly path: Path;
  /** The whole sentence for people, value and suggestion included. */
  readonly message: string;
  /** The bad value, when it may be shown. */
  readonly value?: unknown;
  /** What would be allowed, in words. */
  readonly allowed?: string;
  /** The nearest allowed value. */
  readonly suggestion?: string;
  /** Which side of `key: value` is wrong; the value unless it says otherwise. */
  readonly at?: 'key' | 'value';
}

/** `flowControl.priorityBands[1].fairnessPolicyRef`; keys that are not plain words are quoted in brackets. */
export function dotted(path: Path): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (/^[A-Za-z_][\w-]*$/.test(part)) text += text === '' ? part : `.${part}`;
    else text += `[${shown(part)}]`;
  }
  return text;
}

const SHOWN_LENGTH = 80;

/** A value for a message: JSON, on one line, at most 80 characters. */
export function shown(value: unknown): string {
  if (typeof value === 'number') return String(value);
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object' && value !== null) return 'a mapping';
  const cut = typeof value === 'string' && value.length > SHOWN_LENGTH ? `${value.slice(0, SHOWN_LENGTH)}…` : value;
  return JSON.stringify(cut) ?? 'nothing';
}

/** The end of a message: ``; did you mean `x`?``, or nothing. */
export function meant(suggestion: string | undefined): string {
  return suggestion === undefined ? '' : `; did you mean \`${suggestion}\`?`;
}
