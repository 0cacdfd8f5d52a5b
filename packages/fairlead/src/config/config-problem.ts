// SPDX-License-Identifier: Apache-2.0

/** A problem of a configuration as it is told to people and to programs. */

import type { Problem } from '@fairlead/core';
import { dotted } from '@fairlead/core';
import type { Position } from './read.ts';

/** The fields of `fairlead check --json`. */
export interface ConfigProblem {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
  /** `flowControl.priorityBands[1].fairnessPolicyRef`; empty for the file as a whole. */
  readonly path: string;
  readonly value: unknown;
  readonly message: string;
  readonly allowed: string | null;
  readonly suggestion: string | null;
}

export function configProblem(problem: Problem, file: string, { line, column }: Position): ConfigProblem {
  const { path, message, value = null, allowed = null, suggestion = null } = problem;
  return { file, line, column, path: dotted(path), value, message, allowed, suggestion };
}

/** `file:line:column: path: message`, on one line. */
export function problemLine({ file, line, column, path, message }: ConfigProblem): string {
  const text = `${file}:${line}:${column}: ${path === '' ? '' : `${path}: `}${message}`;
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]+/g, ' ');
}

/** By place in the file. */
export function byPlace(a: ConfigProblem, b: ConfigProblem): number {
  return a.line - b.line || a.column - b.column;
}
