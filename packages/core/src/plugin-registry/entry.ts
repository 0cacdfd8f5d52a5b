// SPDX-License-Identifier: Apache-2.0

/** An entry of the `plugins` list, as far as the kernel needs it. */

import type { Path } from './problem.ts';

/** One plugin to make, as configured. */
export interface PluginEntry {
  readonly name: string;
  readonly type: string;
  /** A mapping, not checked yet. */
  readonly parameters?: unknown;
  /** Where the entry is. */
  readonly path: Path;
  /** Its problem has been told already: nothing is made of it, and who refers to it is not bothered again. */
  readonly broken?: boolean;
}
