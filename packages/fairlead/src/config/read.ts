// SPDX-License-Identifier: Apache-2.0

/**
 * Text to plain data, with the place of every value. YAML is read with its own parser, but the tree is walked here: that
 * is where size, depth and aliases are bounded, where duplicate keys are found in linear time, and where keys that would
 * reach into prototypes end. Whatever the text is, the result is data or problems, never an exception.
 */

import type { Path, Problem } from '@fairlead/core';
import { shown } from '@fairlead/core';
import { LineCounter, parseDocument } from 'yaml';
import type { Document, YAMLError } from 'yaml';
import { TreeReader } from './tree-reader.ts';

/** Bytes of a configuration file at most. */
export const MAX_CONFIG_BYTES = 1024 * 1024;

const MAX_SYNTAX_PROBLEMS = 20;

export interface Position {
  /** From 1. */
  readonly line: number;
  readonly column: number;
}

/** A problem that knows its place already. */
export type PlacedProblem = Problem & Position;

export interface ReadConfig {
  /** Undefined when there are problems. */
  readonly value: unknown;
  readonly problems: readonly PlacedProblem[];
  /** The place of a value or key, or of the nearest thing around it that is there. */
  locate(path: Path, at?: 'key' | 'value'): Position;
}

/** Reads YAML 1.2 (JSON is YAML). */
export function readConfig(text: string): ReadConfig {
  if (Buffer.byteLength(text) > MAX_CONFIG_BYTES) return refused(`is larger than ${MAX_CONFIG_BYTES} bytes`);
  const lines = new LineCounter();
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  let document: Document.Parsed;
  try {
    document = parseDocument(text, {
      lineCounter: lines,
      prettyErrors: false,
      schema: 'core',
      merge: true,
      stringKeys: true,
      uniqueKeys: false,
      logLevel: 'error',
    });
  } catch {
    return refused('cannot be read as YAML');
  }
  const syntax = [...document.errors, ...document.warnings].slice(0, MAX_SYNTAX_PROBLEMS);
  if (syntax.length > 0) return { ...refused(''), problems: syntax.map((error) => syntaxProblem(error, text, at)) };
  const reader = new TreeReader();
  const value = reader.read(document.contents);
  if (value === null && reader.problems.length === 0)
    return refused('is empty: a configuration has apiVersion and kind');
  const problems = reader.problems.map(({ offset, ...problem }) => ({ ...problem, ...at(offset) }));
  return { value, problems, locate: (path, side) => at(reader.offsetOf(path, side)) };
}

function refused(message: string): ReadConfig {
  const start = { line: 1, column: 1 };
  return { value: undefined, problems: [{ path: [], message, ...start }], locate: () => start };
}

function syntaxProblem(error: YAMLError, text: string, at: (offset: number) => Position): PlacedProblem {
  return { path: [], message: syntaxMessage(error, text), ...at(Math.min(error.pos[0], text.length)) };
}

function syntaxMessage(error: YAMLError, text: string): string {
  switch (error.code) {
    case 'TAB_AS_INDENT':
      return 'a tab cannot indent YAML: use spaces';
    case 'MULTIPLE_DOCS':
      return 'a second document starts here: a configuration is one document';
    case 'RESOURCE_EXHAUSTION':
      return 'is nested too deeply';
    case 'NON_STRING_KEY':
      return 'a key must be plain text';
    case 'TAG_RESOLVE_FAILED':
      return `the tag ${shown(text.slice(...error.pos))} is not known here`;
    default:
      return `not valid YAML: ${error.message.replaceAll(/\s*\n\s*/g, ' ')}`;
  }
}
