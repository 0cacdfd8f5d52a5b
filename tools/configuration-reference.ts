// SPDX-License-Identifier: Apache-2.0

/**
 * Writes docs/configuration.md from the schema, so that every field, default and range stands there exactly as it is
 * checked. `test/configuration-reference.test.ts` fails when the page is not what this would write.
 *
 *     node --conditions=development tools/configuration-reference.ts
 */

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { ParameterSpec, ParameterSpecs } from '@fairlead/core';
import prettier from 'prettier';
import { configFields } from '../packages/fairlead/src/config/schema.ts';
import { parameterTable } from './parameter-table.ts';

const root = path.dirname(import.meta.dirname);

/** Where the page is kept. */
export const configurationReferencePath = path.join(root, 'docs', 'configuration.md');

const introduction = `# Configuration

<!-- Written by tools/configuration-reference.ts from the schema: change that, then run it. -->

One file configures everything. It is the [reference picker](compatibility.md)'s \`EndpointPickerConfig\`, with sections of our own beside it;
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

**Editors.** \`# yaml-language-server: $schema=node_modules/fairlead/schema.json\` in the first line has an editor complete,
explain and mark every field; \`fairlead schema\` prints the same schema.
[examples/configuration/fairlead.yaml](../examples/configuration/fairlead.yaml) shows every section at work.

**Reload.** \`fairlead serve --config-file FILE\` watches the file, also through the links of a mounted ConfigMap, and takes
SIGHUP as a wish to look now. What it says is read, checked and resolved, and then counts everywhere in one turn, or, when
anything is wrong with it, nowhere: every problem is in the log, \`fairlead_config_last_reload_success\` is 0, and
\`fairlead status\` and \`/state\` say what and when. What waits keeps its place. A plugin whose name, type and parameters are the
same keeps what it remembers (turns, learned limits); another fairness policy is told of the flows in the order of their
turns, another ordering ranks anew what waits, and a band that is gone serves what waits in it. New wait budgets count
from when a request came; new limits of a head (\`maxHeaderBytes\`, \`headersTimeout\`) for open connections as well. Keys
and certificates of model servers are read anew. Flags, the environment and the code of a \`module\` stay as they are until
a restart.

**Amounts.** A _duration_ is Go's (\`500ms\`, \`1m30s\`, \`1.5h\`); a _quantity_ is Kubernetes' (\`5000\`, \`500k\`, \`512Mi\`),
rounded up to a whole number.

**Plugins.** Wherever a plugin is named, the name of an entry in \`plugins\` or a built-in type will do: a type without an
entry is used with its defaults. Their parameters are in [plugins](plugins/README.md).

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
    parameterTable('Field', Object.entries(fields)),
    ...sections.flatMap(([name, spec]) => sectionOf(name, spec)),
  ];
  const options = { ...(await prettier.resolveConfig(configurationReferencePath)), parser: 'markdown' };
  return prettier.format(parts.join('\n\n'), options);
}

/** Every field with the path it has on the page: `flowControl.priorityBands[].priority`. */
export function fieldPaths(fields: ParameterSpecs): string[] {
  return allFields(fields, '').map(([own]) => own);
}

function sectionOf(name: string, spec: ParameterSpec): string[] {
  const fields = allFields(nestedFields(spec) ?? {}, below(name, spec));
  return [`## ${name}`, spec.doc, parameterTable('Field', fields)];
}

function nestedFields(spec: ParameterSpec): ParameterSpecs | undefined {
  if (spec.type === 'object') return spec.fields;
  return spec.type === 'list' ? nestedFields(spec.of) : undefined;
}

/** Every field with its path, fields of fields below them. */
function allFields(fields: ParameterSpecs, prefix: string): (readonly [string, ParameterSpec])[] {
  return Object.entries(fields).flatMap(([name, spec]) => {
    const own = `${prefix}${name}`;
    const nested = nestedFields(spec);
    return [[own, spec], ...(nested === undefined ? [] : allFields(nested, below(own, spec)))];
  });
}

function below(own: string, spec: ParameterSpec): string {
  return `${own}${spec.type === 'list' ? '[].' : '.'}`;
}

if (import.meta.main) {
  writeFileSync(configurationReferencePath, await configurationReference(configFields));
}
