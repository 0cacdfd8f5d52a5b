// SPDX-License-Identifier: Apache-2.0

/**
 * The tables of docs/simulate.md, from the fields of a scenario as they are checked. `test/scenario-reference.test.ts`
 * fails when the page does not have them; this puts them there.
 *
 *     node --conditions=development tools/scenario-reference.ts
 */

import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { ParameterSpec, ParameterSpecs } from '@fairlead/core';
import prettier from 'prettier';
import { scenarioFields } from '../packages/fairlead/src/simulate/scenario-fields.ts';
import { parameterTable } from './parameter-table.ts';

/** Where the page is kept. */
export const scenarioReferencePath = path.join(import.meta.dirname, '..', 'docs', 'simulate.md');

const BEGIN = '<!-- Fields: written by tools/scenario-reference.ts. -->';
const END = '<!-- End of the fields. -->';

/** The page with its tables as they should be. */
export async function scenarioReference(page: string): Promise<string> {
  const [before = '', rest = ''] = page.split(BEGIN);
  const [, after = ''] = rest.split(END);
  const text = [before + BEGIN, ...tables('', scenarioFields), END + after].join('\n\n');
  return prettier.format(text, { parser: 'markdown', proseWrap: 'preserve', printWidth: 120 });
}

/** A table for the fields, then one for those of each mapping in them. */
function tables(name: string, fields: ParameterSpecs): string[] {
  const entries = Object.entries(fields);
  const inner = entries.flatMap(([field, spec]) => {
    const within = fieldsOf(spec);
    return within === undefined ? [] : tables(name === '' ? field : `${name}.${field}`, within);
  });
  const isSizes = name.endsWith('Tokens');
  // Both kinds of sizes have the same fields.
  if (isSizes && name !== 'tenants.promptTokens') return [];
  const title = isSizes ? 'tenants.promptTokens, tenants.outputTokens' : name;
  return [...(title === '' ? [] : [`### ${title}`]), parameterTable('Field', entries), ...inner];
}

function fieldsOf(spec: ParameterSpec): ParameterSpecs | undefined {
  if (spec.type === 'object') return spec.fields;
  return spec.type === 'list' ? fieldsOf(spec.of) : undefined;
}

if (import.meta.main) {
  writeFileSync(scenarioReferencePath, await scenarioReference(readFileSync(scenarioReferencePath, 'utf8')));
}
