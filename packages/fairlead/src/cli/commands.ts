// SPDX-License-Identifier: Apache-2.0

/**
 * The commands of `fairlead`, in the order `fairlead --help` lists them. Each entry knows how to load its command, so
 * that starting one command reads only that command's modules.
 */

import type { Command } from './command.ts';

/** A command that is not loaded yet. */
export interface CommandEntry {
  /** The same word as the loaded command's `name`; repeated here so that it can be chosen without loading it. */
  readonly name: string;
  load(): Promise<Command>;
}

/** Every command there is. */
export const commands: readonly CommandEntry[] = [
  { name: 'serve', load: async () => (await import('./serve.ts')).serveCommand },
  { name: 'check', load: async () => (await import('./check.ts')).checkCommand },
  { name: 'schema', load: async () => (await import('./schema.ts')).schemaCommand },
  { name: 'keys', load: async () => (await import('./keys.ts')).keysCommand },
  { name: 'demo', load: async () => (await import('./demo.ts')).demoCommand },
  { name: 'simulate', load: async () => (await import('./simulate.ts')).simulateCommand },
  { name: 'model-server', load: async () => (await import('./model-server.ts')).modelServerCommand },
  { name: 'status', load: async () => (await import('./status.ts')).statusCommand },
  { name: 'bypass', load: async () => (await import('./bypass.ts')).bypassCommand },
];
