// SPDX-License-Identifier: Apache-2.0

/** `fairlead schema`: the configuration file as JSON Schema, for editors and for checks that run no JavaScript. */

import { createDefaultRegistry } from '../config/default-registry.ts';
import { configSchema } from '../config/json-schema.ts';
import type { Command } from './command.ts';

export const schemaCommand: Command = {
  name: 'schema',
  summary: 'Print the JSON Schema of the configuration file.',
  details: `
Draft 2020-12; the same as \`schema.json\` in the package. It knows every field and the parameters of every plugin in the
box. \`fairlead check\` knows more: names that must be unique, references between plugins, plugins of your own.

Examples:
  fairlead schema > fairlead.schema.json
  sed -i '1i # yaml-language-server: $schema=fairlead.schema.json' fairlead.yaml`,
  flags: [],
  run: async ({ stdout }) => {
    stdout.write(`${JSON.stringify(configSchema(createDefaultRegistry().definitions()), null, 2)}\n`);
    return 0;
  },
};
