// SPDX-License-Identifier: Apache-2.0

/**
 * Writes docs/plugins/ from what the code says of itself, an index and a page for each plugin: the definitions give kinds,
 * stability and parameters, the header paragraph of a plugin's file says which question it answers, when to choose it and
 * what it guarantees. `test/plugin-reference.test.ts` fails when the folder is not what this would write.
 *
 *     node --conditions=development tools/plugin-reference.ts
 */

import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { PluginDefinition, PluginKind } from '@fairlead/core';
import { createDefaultRegistry } from '../packages/fairlead/src/config/default-registry.ts';
import prettier from 'prettier';
import { parameterTable } from './parameter-table.ts';

const root = path.dirname(import.meta.dirname);

/** Where the pages are kept. */
export const pluginReferencePath = path.join(root, 'docs', 'plugins');

/** The index among them. */
const INDEX = 'README.md';

/** Sections in the order of a request's way; a plugin of two kinds stands in the first. */
const sections: readonly (readonly [kind: PluginKind, title: string, question: string])[] = [
  ['band-selection', 'Band selection policies', 'Which band is served next? `flowControl.bandSelectionPolicyRef`.'],
  ['fairness', 'Fairness policies', 'Which flow of a band is served next? `fairnessPolicyRef` of a priority band.'],
  ['ordering', 'Ordering policies', 'Which request of a flow is next? `orderingPolicyRef` of a priority band.'],
  [
    'usage-limit',
    'Usage limit policies',
    'At which saturation does a band stop dispatching? `flowControl.usageLimitPolicyPluginRef`.',
  ],
  [
    'saturation',
    'Saturation detectors',
    'How full are the pool and each endpoint? `flowControl.saturationDetector.pluginRef`.',
  ],
  ['profile-handler', 'Profile handlers', 'Which scheduling profile runs for a request?'],
  ['filter', 'Filters', 'Which endpoints may get the request? `schedulingProfiles[].plugins[]`.'],
  ['scorer', 'Scorers', 'Which endpoints are better? `schedulingProfiles[].plugins[]`, each with a `weight`.'],
  ['picker', 'Pickers', 'Which of the rated endpoints gets the request? `schedulingProfiles[].plugins[]`.'],
  ['discovery', 'Discovery', 'Where are the endpoints?'],
  ['data-source', 'Data sources', 'Where do metrics come from?'],
  ['extractor', 'Extractors', 'What do metrics mean?'],
  ['producer', 'Data producers', 'What is known of a request before it is scheduled?'],
  ['parser', 'Parsers', 'Which requests can be read?'],
];

const introduction = `# Plugins

<!-- Written by tools/plugin-reference.ts from the plugins' own definitions: change those, then run it. -->

Everything that decides is a plugin: whose turn it is, how full the servers are, where a request goes. A plugin is made
once, when the configuration is loaded, and whatever refers to its name shares that one instance; what it remembers of a
band, a flow or an endpoint is kept with that band, flow or endpoint.

\`\`\`yaml
plugins:
  - name: fair
    type: round-robin-fairness-policy
  - type: concurrency-detector
    parameters:
      maxConcurrency: 8
flowControl:
  defaultPriorityBand:
    fairnessPolicyRef: fair
    orderingPolicyRef: edf-ordering-policy
  saturationDetector:
    pluginRef: concurrency-detector
\`\`\`

A type with no parameters to set needs no entry under \`plugins\`: refer to it by its type, as to \`edf-ordering-policy\`
above. Parameters are checked strictly when the file is loaded. Types, names and meanings are those of the reference
picker; the differences are listed in [compatibility.md](../compatibility.md). Plugins that are \`alpha\` need
\`--allow-experimental-plugins\`.

## Your own

\`plugins[].module\` names a JavaScript or TypeScript module beside the configuration file (or a package that can be
found from there) whose default export is a definition made with \`definePlugin\`. For a fairness policy,
\`defineSimpleFairnessPolicy\` leaves only the choice to write: see
[examples/custom-fairness-policy](../../examples/custom-fairness-policy/README.md), which is complete in 25 lines.
[Conformance of plugins](../plugin-conformance.md) has the suites that the plugins here pass, and yours should.
`;

/** Every file of the folder for these definitions, as Markdown by name. */
export async function pluginReference(definitions: readonly PluginDefinition[]): Promise<ReadonlyMap<string, string>> {
  const options = { ...(await prettier.resolveConfig(path.join(pluginReferencePath, INDEX))), parser: 'markdown' };
  const pages = new Map([[INDEX, indexOf(definitions)]]);
  for (const definition of definitions) pages.set(fileOf(definition), pageOf(definition));
  for (const [name, text] of pages) pages.set(name, await prettier.format(text, options));
  return pages;
}

function fileOf({ type }: PluginDefinition): string {
  return `${type}.md`;
}

function indexOf(definitions: readonly PluginDefinition[]): string {
  const parts = sections.flatMap(([kind, title, question]) => {
    const members = definitions.filter(({ kinds }) => kinds.includes(kind));
    if (members.length === 0) return [];
    const rows = members.map(
      (member) => `| [${member.type}](${fileOf(member)}) | ${member.summary} | ${member.stability} |`,
    );
    return [
      `## ${title}\n\n${question}`,
      ['| Type | What it does | Stability |', '| --- | --- | --- |', ...rows].join('\n'),
    ];
  });
  return [introduction, ...parts].join('\n\n');
}

function pageOf(definition: PluginDefinition): string {
  const { type, kinds, stability, summary, parameters } = definition;
  const specs = Object.entries(parameters);
  const titles = sections.filter(([kind]) => kinds.includes(kind)).map(([, title]) => title);
  return [
    `# ${type}`,
    `<!-- Written by tools/plugin-reference.ts from the plugin's own definition: change that, then run it. -->`,
    `[Plugins](${INDEX}) · ${titles.join(' · ')} · _${stability}_`,
    summary,
    ...headerOf(type),
    '## Parameters',
    specs.length === 0 ? 'None.' : parameterTable('Parameter', specs),
  ].join('\n\n');
}

/** The paragraphs above a plugin's imports; none for plugins that share a file. */
function headerOf(type: string): string[] {
  const [file] = globSync(`packages/core/src/plugins/*/${type}.ts`, { cwd: root });
  if (file === undefined) return [];
  const comment = /\/\*\*\n([\s\S]*?) \*\//.exec(readFileSync(path.join(root, file), 'utf8'))?.[1] ?? '';
  const text = comment.replaceAll(/^ \* ?/gm, '').trim();
  return text.split('\n\n').map((paragraph) => paragraph.replaceAll('\n', ' '));
}

if (import.meta.main) {
  rmSync(pluginReferencePath, { recursive: true, force: true });
  mkdirSync(pluginReferencePath);
  const pages = await pluginReference(createDefaultRegistry().definitions());
  for (const [name, text] of pages) writeFileSync(path.join(pluginReferencePath, name), text);
}
