// SPDX-License-Identifier: Apache-2.0

/**
 * Writes packages/fairlead/schema.json from the schema of the configuration file and the parameters of the plugins in the
 * box. `test/config-schema.test.ts` fails when the file is not what this would write.
 *
 *     node --conditions=development tools/config-schema.ts
 */

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { createDefaultRegistry } from '../packages/fairlead/src/config/default-registry.ts';
import { configSchema } from '../packages/fairlead/src/config/json-schema.ts';

/** Where the schema is kept. */
export const configSchemaPath = path.join(path.dirname(import.meta.dirname), 'packages', 'fairlead', 'schema.json');

/** The file's text. */
export function configSchemaText(): string {
  return `${JSON.stringify(configSchema(createDefaultRegistry().definitions()), null, 2)}\n`;
}

if (import.meta.main) writeFileSync(configSchemaPath, configSchemaText());
