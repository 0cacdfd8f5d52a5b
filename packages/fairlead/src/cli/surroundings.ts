// SPDX-License-Identifier: Apache-2.0

/**
 * What a right configuration needs beside it, as far as it can be seen here: variables and files. What is missing is a
 * warning, because a configuration is often checked on another machine than the one that it will run on.
 */

import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import type { ResolvedConfig } from '../config/resolved.ts';

/** One line for each thing that is not there. */
export function missingHere(
  { endpoints, dnsEndpoints = [], fileDiscovery }: ResolvedConfig,
  environment: Readonly<Record<string, string | undefined>>,
): string[] {
  const missing: string[] = [];
  for (const { name, apiKeyEnv } of [...endpoints, ...dnsEndpoints.map(({ template }) => template)]) {
    if (apiKeyEnv === undefined || (environment[apiKeyEnv] ?? '').trim() !== '') continue;
    missing.push(`endpoint ${name}: the environment variable ${apiKeyEnv}, named by apiKeyEnv, is not set here`);
  }
  if (fileDiscovery !== undefined && !isReadable(fileDiscovery.path)) {
    const file = path.resolve(fileDiscovery.path);
    const why = `a relative path starts from the working directory`;
    missing.push(
      `file-discovery: ${file} cannot be read here${path.isAbsolute(fileDiscovery.path) ? '' : ` (${why})`}`,
    );
  }
  return missing;
}

function isReadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
