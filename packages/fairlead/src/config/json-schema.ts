// SPDX-License-Identifier: Apache-2.0

/**
 * The configuration file as JSON Schema (draft 2020-12), made from the same data as its checks, so that an editor
 * completes and marks what the loader would take or refuse. What no schema can say (that names are unique, that a plugin
 * is there and of the right kind) is left to the loader.
 */

import { allowedText, formatDuration } from '@fairlead/core';
import type { ParameterSpec, ParameterSpecs, PluginDefinition } from '@fairlead/core';
import { configFields } from './schema.ts';

export type JsonSchema = Readonly<Record<string, unknown>>;

const DURATION = '^\\+?(0|(([0-9]+(\\.[0-9]*)?|\\.[0-9]+)(h|ms|m|s|us|µs|μs|ns))+)$';
const QUANTITY = '^[-+]?([0-9]+(\\.[0-9]*)?|\\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][-+]?[0-9]+)?$';
const MAX_AMOUNT_LENGTH = 64;

/** What the loader accepts, as far as a schema can say it; `definitions` are the plugin types there are. */
export function configSchema(
  definitions: readonly PluginDefinition[],
  fields: ParameterSpecs = configFields,
): JsonSchema {
  const root = fieldsSchema(fields);
  const { plugins } = root['properties'] as Record<string, JsonSchema>;
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Configuration of Fairlead',
    description: 'The EndpointPickerConfig of the reference picker, with sections of our own beside it.',
    ...root,
    properties: {
      ...(root['properties'] as object),
      plugins: { ...plugins, items: pluginSchema(definitions, plugins!) },
    },
  };
}

function fieldsSchema(fields: ParameterSpecs): JsonSchema {
  const entries = Object.entries(fields);
  const required = entries.filter(([, spec]) => spec.required === true).map(([name]) => name);
  return {
    type: 'object',
    properties: Object.fromEntries(entries.map(([name, spec]) => [name, fieldSchema(spec)])),
    ...(required.length === 0 ? {} : { required }),
    additionalProperties: false,
  };
}

/** A field of a mapping: null is as good as nothing, unless it is required. */
function fieldSchema(spec: ParameterSpec): JsonSchema {
  const facts = { description: descriptionOf(spec), ...defaultOf(spec) };
  if (isNeverTaken(spec)) return { ...facts, type: 'null' };
  const own = valueSchema(spec);
  if (spec.required === true || own['type'] === undefined) return { ...facts, ...own };
  const types = [own['type']].flat();
  const choices = own['enum'] === undefined ? {} : { enum: [...(own['enum'] as unknown[]), null] };
  return { ...facts, ...own, type: [...types, 'null'], ...choices };
}

function valueSchema(spec: ParameterSpec): JsonSchema {
  switch (spec.type) {
    case 'integer':
    case 'number':
      return { type: spec.type, ...rangeOf(spec) };
    case 'duration':
      // The range applies to numbers only: 0 needs no unit, and nothing else goes without.
      return { type: ['string', 'number'], pattern: DURATION, maxLength: MAX_AMOUNT_LENGTH, minimum: 0, maximum: 0 };
    case 'quantity':
      return { type: ['string', 'number'], pattern: QUANTITY, maxLength: MAX_AMOUNT_LENGTH, ...roundedUp(spec) };
    case 'boolean':
      return { type: 'boolean' };
    case 'string':
      return { type: 'string', ...textLimits(spec) };
    case 'plugin-ref':
      return { type: 'string', minLength: 1 };
    case 'list': {
      const { maxItems } = spec;
      const items = { description: spec.of.doc, ...valueSchema(spec.of) };
      return { type: 'array', items, ...(maxItems === undefined ? {} : { maxItems }) };
    }
    case 'map':
      return { type: 'object', additionalProperties: { type: 'string' } };
    case 'object':
      return fieldsSchema(spec.fields);
    case 'any':
      return {};
  }
}

function rangeOf(spec: ParameterSpec & { type: 'number' | 'integer' }): JsonSchema {
  const { min, max } = spec;
  return {
    ...(min === undefined ? {} : { [spec.exclusiveMin === true ? 'exclusiveMinimum' : 'minimum']: min }),
    ...(max === undefined ? {} : { [spec.exclusiveMax === true ? 'exclusiveMaximum' : 'maximum']: max }),
  };
}

/** Quantities are rounded up before they are compared. */
function roundedUp({ min = 0, max }: ParameterSpec & { type: 'quantity' }): JsonSchema {
  return { exclusiveMinimum: min - 1, ...(max === undefined ? {} : { maximum: max }) };
}

function textLimits({ choices, pattern }: ParameterSpec & { type: 'string' }): JsonSchema {
  return {
    ...(choices === undefined ? {} : { enum: choices }),
    // A schema knows no flags.
    ...(pattern === undefined || pattern.test.flags.replace('u', '') !== '' ? {} : { pattern: pattern.test.source }),
  };
}

/** Known by name, and refused whatever it says. */
function isNeverTaken({ doc }: ParameterSpec): boolean {
  return doc === 'Not in this version: refused.';
}

function descriptionOf(spec: ParameterSpec): string {
  const fallback = spec.defaultDoc === undefined ? '' : ` Default: ${spec.defaultDoc}.`;
  const restart = spec.restart === true ? ' Counts after a restart.' : '';
  return `${spec.doc}${restart}\n\nAllowed: ${allowedText(spec)}.${fallback}`;
}

function defaultOf(spec: ParameterSpec): JsonSchema {
  const deprecated = spec.doc.startsWith('Deprecated') ? { deprecated: true } : {};
  if (spec.default === undefined) return deprecated;
  return { ...deprecated, default: spec.type === 'duration' ? formatDuration(spec.default) : spec.default };
}

/** An entry of `plugins`: by its type, what its parameters may be. */
function pluginSchema(definitions: readonly PluginDefinition[], list: JsonSchema): JsonSchema {
  const { description: _described, ...entry } = list['items'] as JsonSchema;
  const types = definitions.map(({ type }) => type);
  const hasModule = { properties: { module: { type: 'string' } }, required: ['module'] };
  return {
    ...entry,
    // A type of one's own is defined by its module, which may leave it to the module to say which.
    if: hasModule,
    then: {},
    else: { properties: { type: { enum: types } }, required: ['type'] },
    allOf: definitions.map(({ type, summary, parameters }) => ({
      if: { properties: { type: { const: type } }, required: ['type'] },
      then: parametersSchema(summary, parameters),
    })),
  };
}

function parametersSchema(description: string, parameters: ParameterSpecs): JsonSchema {
  const schema = fieldsSchema(parameters);
  if (schema['required'] === undefined) {
    return { description, properties: { parameters: { ...schema, type: ['object', 'null'] } } };
  }
  return { description, properties: { parameters: schema }, required: ['parameters'] };
}
