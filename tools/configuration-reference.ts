// SPDX-License-Identifier: Apache-2.0

/**
 * Writes docs/configuration.md from the schema, so that every field, default and range stands there exactly as it is
 * checked. `test/configuration-reference.test.ts` fails when the page is not what this would write.
 *
 *     node --conditions=development tools/configuration-reference.ts
 */

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { allowedText, formatDuration } from '@fairlead/core';
import type { ParameterSpec, ParameterSpecs } from '@fairlead/core';
import prettier from 'prettier';
import { configFields } from '../packages/fairlead/src/config/schema.ts';

const root = path.dirname(import.meta.dirname);

/** Where the page is kept. */
export const configurationReferencePath = path.join(root, 'docs', 'configuration.md');

const introduction = `# Configuration

<!-- Written by tools/configuration-reference.ts from the schema: change that, then run it. -->

One file configures everything. It is the reference picker's \`EndpointPickerConfig\`, with sections of our own beside it;
every section is optional, and \`fairlead serve\` runs without any file.

\`\`\`yaml
apiVersion: llm-d.ai/v1alpha1
kind: EndpointPickerConfig
endpoints:
  - url: http://10.0.0.1:8000
  - url: http://10.0.0.2:8000
identity:
  keys:
    - sha256: 554a0d05033791f46fede07b724fa246c95235f60a9fb74caad37d1408b4df58
      tenant: team-a
      maxInFlight: 20
flowControl:
  defaultRequestTTL: 30s
  priorityBands:
    - priority: 10
      maxRequests: 1k
\`\`\`

\`\`\`sh
fairlead check fairlead.yaml              # every problem with its line, or what would run
fairlead check fairlead.yaml --json       # the same for programs
fairlead check fairlead.yaml --resolved   # the whole configuration as it will run, itself loadable
fairlead serve --config-file fairlead.yaml
\`\`\`

**Reading.** YAML 1.2 or JSON, UTF-8, one document, at most 1 MiB, 50 000 values and 32 levels. Strict: an unknown field, a
duplicate key or a value out of range is a problem, and all problems are told at once, each with file, line and column. A
field that is null counts as left out.

**Amounts.** A _duration_ is Go's (\`500ms\`, \`1m30s\`, \`1.5h\`); a _quantity_ is Kubernetes' (\`5000\`, \`500k\`, \`512Mi\`),
rounded up to a whole number.

**Plugins.** Wherever a plugin is named, the name of an entry in \`plugins\` or a built-in type will do: a type without an
entry is used with its defaults. Their parameters are in [plugins.md](plugins.md).

**Defaults.** There are two sets. \`fairlead serve\` fills what a file leaves out with what a gateway needs. The reference's own
defaults make a file mean exactly what it means there: \`fairlead check FILE --defaults reference\` shows what that is. Where
we differ on purpose is in [compatibility.md](compatibility.md).

**Secrets.** Keys of callers are kept as hashes: \`printf %s "$KEY" | sha256sum\`. Keys for model servers are named by their
environment variable. Values of these fields are never repeated in messages.
`;

/** The page for these fields, as Markdown. */
export async function configurationReference(fields: ParameterSpecs): Promise<string> {
  const sections = Object.entries(fields).filter(([, spec]) => nestedFields(spec) !== undefined);
  const parts = [
    introduction,
    '## The file',
    table(fields, ''),
    ...sections.flatMap(([name, spec]) => sectionOf(name, spec)),
  ];
  const options = { ...(await prettier.resolveConfig(configurationReferencePath)), parser: 'markdown' };
  return prettier.format(parts.join('\n\n'), options);
}

/** Every field with the path it has on the page: `flowControl.priorityBands[].priority`. */
export function fieldPaths(fields: ParameterSpecs, prefix = ''): string[] {
  return Object.entries(fields).flatMap(([name, spec]) => {
    const own = `${prefix}${name}`;
    const nested = nestedFields(spec);
    return nested === undefined ? [own] : [own, ...fieldPaths(nested, `${own}${spec.type === 'list' ? '[].' : '.'}`)];
  });
}

function sectionOf(name: string, spec: ParameterSpec): string[] {
  const prefix = `${name}${spec.type === 'list' ? '[].' : '.'}`;
  return [`## ${name}`, spec.doc, table(nestedFields(spec) ?? {}, prefix)];
}

function nestedFields(spec: ParameterSpec): ParameterSpecs | undefined {
  if (spec.type === 'object') return spec.fields;
  return spec.type === 'list' ? nestedFields(spec.of) : undefined;
}

/** One row a field, fields of fields below them; at the top only the fields themselves. */
function table(fields: ParameterSpecs, prefix: string): string {
  const head = [
    ['Field', 'Allowed', 'Default', 'Meaning'],
    ['---', '---', '---', '---'],
  ];
  const body = prefix === '' ? Object.entries(fields).map(([name, spec]) => row(name, spec)) : rows(fields, prefix);
  return [...head, ...body].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function rows(fields: ParameterSpecs, prefix: string): string[][] {
  return Object.entries(fields).flatMap(([name, spec]) => {
    const own = `${prefix}${name}`;
    const nested = nestedFields(spec);
    return [
      row(own, spec),
      ...(nested === undefined ? [] : rows(nested, `${own}${spec.type === 'list' ? '[].' : '.'}`)),
    ];
  });
}

function row(name: string, spec: ParameterSpec): string[] {
  return [`\`${name}\``, allowed(spec), defaultText(spec), spec.doc].map((cell) => cell.replaceAll('|', '\\|'));
}

function allowed(spec: ParameterSpec): string {
  if (spec.type === 'list' && nestedFields(spec) === undefined)
    return `${allowedText(spec)}, each ${allowedText(spec.of)}`;
  return allowedText(spec);
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

if (import.meta.main) {
  writeFileSync(configurationReferencePath, await configurationReference(configFields));
}
