// SPDX-License-Identifier: Apache-2.0

/** How servers are spoken to over TLS: what cannot go together is refused, and paths are made absolute. */

import path from 'node:path';
import type { Path } from '@fairlead/core';
import type { Resolution } from './resolution.ts';
import type { TlsConfig } from './resolved.ts';

type Given = { readonly [K in keyof TlsConfig]?: TlsConfig[K] | undefined };

/** The `tls` of an endpoint; undefined when it has none, or one with problems. */
export function resolveTls(
  { directory, problems }: Resolution,
  given: Given | undefined,
  at: { readonly path: Path; readonly url: string },
): TlsConfig | undefined {
  if (given === undefined) return undefined;
  const message = at.url.startsWith('https:') ? contradictionOf(given) : 'is of no use: the URL is not https://';
  if (message !== undefined) {
    problems.push({ path: [...at.path, 'tls'], message, at: 'key' });
    return undefined;
  }
  return tlsConfigOf(given, directory);
}

/** What cannot go together, in words. */
export function contradictionOf({ caFile, certFile, keyFile, insecureSkipVerify }: Given): string | undefined {
  if (certFile !== undefined && keyFile === undefined) return 'has a certFile without its keyFile';
  if (keyFile !== undefined && certFile === undefined) return 'has a keyFile without its certFile';
  if (insecureSkipVerify === true && caFile !== undefined) {
    return 'has a caFile, and insecureSkipVerify, with which it would not be looked at: leave one out';
  }
  return undefined;
}

/** Relative paths start from `directory`. */
export function tlsConfigOf(given: Given, directory: string): TlsConfig {
  const { serverName, insecureSkipVerify = false } = given;
  const files = Object.fromEntries(
    (['caFile', 'certFile', 'keyFile'] as const).flatMap((name) => {
      const file = given[name];
      return file === undefined ? [] : [[name, path.resolve(directory, file)]];
    }),
  );
  return { ...files, ...(serverName === undefined ? {} : { serverName }), insecureSkipVerify };
}
