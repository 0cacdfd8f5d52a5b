// SPDX-License-Identifier: Apache-2.0

/**
 * The tool calls of the modelled engine. It calls the tool it is told to, else the first one there is, with arguments
 * that fit the tool's schema; left to choose (`auto`), it does so until the conversation holds what a tool said.
 */

import { isObject } from './fields.ts';
import type { Body } from './fields.ts';

export interface ToolCall {
  readonly name: string;
  /** The arguments' JSON, one piece a token. */
  readonly pieces: readonly string[];
}

/** A tool as each API describes it, once its wrapping is gone. */
export interface Tool {
  readonly name: string;
  readonly schema: unknown;
}

/** What the client wants: one by its name, any, none, or whatever the model likes. */
export type ToolChoice = { readonly name: string } | 'required' | 'none' | 'auto';

const PIECE_LENGTH = 4;
/** Schemas are untrusted; references in them are not followed, so that no schema says more than it is long. */
const MAX_DEPTH = 6;

/** The call to make, if any. `hasResult`: the conversation ends with what a tool said. */
export function toolCall(tools: readonly Tool[], choice: ToolChoice, hasResult: boolean): ToolCall | undefined {
  if (choice === 'none' || (choice === 'auto' && hasResult)) return undefined;
  const tool = typeof choice === 'object' ? tools.find(({ name }) => name === choice.name) : tools[0];
  if (tool === undefined) return undefined;
  const text = JSON.stringify(valueFor(tool.schema, 0));
  const pieces: string[] = [];
  for (let at = 0; at < text.length; at += PIECE_LENGTH) pieces.push(text.slice(at, at + PIECE_LENGTH));
  return { name: tool.name, pieces };
}

/** `auto`, `required`, `any`, `none`, or an object whose `name`, at one of two places, is the tool's. */
export function readToolChoice(choice: unknown): ToolChoice {
  const kind = isObject(choice) ? choice['type'] : choice;
  if (isObject(choice)) {
    const name = choice['name'] ?? (isObject(choice['function']) ? choice['function']['name'] : undefined);
    if (typeof name === 'string') return { name };
  }
  if (kind === 'none') return 'none';
  return kind === 'required' || kind === 'any' ? 'required' : 'auto';
}

/** The shortest value that a JSON Schema of the usual kind allows. */
function valueFor(schema: unknown, depth: number): unknown {
  if (!isObject(schema) || depth > MAX_DEPTH) return 'harbour';
  const { enum: allowed, type, minimum } = schema;
  if (Array.isArray(allowed) && allowed.length > 0) return (allowed as readonly unknown[])[0];
  switch (type) {
    case 'object':
      return objectFor(schema, depth);
    case 'array':
      return [valueFor(schema['items'], depth + 1)];
    case 'integer':
    case 'number':
      return typeof minimum === 'number' ? minimum : 1;
    case 'boolean':
      return true;
    case 'null':
      return null;
    default:
      return 'harbour';
  }
}

function objectFor({ properties }: Body, depth: number): object {
  const entries = isObject(properties) ? Object.entries(properties) : [];
  return Object.fromEntries(entries.map(([name, schema]) => [name, valueFor(schema, depth + 1)]));
}
