// SPDX-License-Identifier: Apache-2.0

/**
 * The gateway that benchmarks measure: `fairlead serve` as it is published, compiled from the sources as they are now.
 * The sources themselves take some 30 MB more for what Node needs to run TypeScript.
 */

import { execFileSync } from 'node:child_process';
import path from 'node:path';
import type { GatewayProcess } from '../../packages/fairlead/src/demo/fleet/gateway-process.ts';
import { startGateway } from '../../packages/fairlead/src/demo/fleet/gateway-process.ts';

const dist = new URL('../../packages/fairlead/dist/', import.meta.url);
let isBuilt = false;

/** Starts one in front of `endpoints`; `words` are further flags. @throws {ChildError} */
export async function startShippedGateway(
  endpoints: readonly string[],
  words: readonly string[] = [],
): Promise<GatewayProcess> {
  if (!isBuilt) execFileSync(process.execPath, [path.join(import.meta.dirname, '../../tools/build.ts')]);
  isBuilt = true;
  return startGateway(endpoints, words, dist);
}
