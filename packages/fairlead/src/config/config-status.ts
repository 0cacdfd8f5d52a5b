// SPDX-License-Identifier: Apache-2.0

/** What is told of the configuration that runs, and of the last try to replace it: in `/state`, and as metrics. */

import type { ConfigProblem } from './config-problem.ts';

/** Who asked for a reload: the file changed, or SIGHUP came. */
export type ReloadTrigger = 'file' | 'signal';

/** One try to go on with what the file says. */
export interface Reload {
  /** ISO 8601. */
  readonly at: string;
  readonly trigger: ReloadTrigger;
  /** After a failure everything is as it was before. */
  readonly result: 'success' | 'failure';
  /** Why it failed; empty after a success. */
  readonly problems: readonly ConfigProblem[];
  /** Fields that are other than before and count after a restart. */
  readonly needsRestart: readonly string[];
}

export interface ConfigStatus {
  /** Null: there is no file, hence no reload. */
  readonly file: string | null;
  /** SHA-256 of the text that runs, hexadecimal; null when there is none but defaults and flags. */
  readonly sha256: string | null;
  /** When it began to count, ISO 8601. */
  readonly since: string;
  readonly reloads: { readonly success: number; readonly failure: number };
  readonly lastReload: Reload | null;
}
