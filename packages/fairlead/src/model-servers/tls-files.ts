// SPDX-License-Identifier: Apache-2.0

/**
 * Certificates and keys, read from their files at the start and put into the options that `tls.connect` takes. A secure
 * context is made once for each set of files: parsing a bundle of authorities again for every connection would cost
 * more than the handshake.
 */

import { createSecureContext } from 'node:tls';
import type { ConnectionOptions, SecureContext } from 'node:tls';
import { IrregularFile, readBoundedSync } from '../config/bounded-file.ts';
import type { TlsConfig } from '../config/resolved.ts';

/** For `tls.connect`, beside host and port. */
export type UpstreamTls = Pick<ConnectionOptions, 'secureContext' | 'servername' | 'rejectUnauthorized'>;

/** A file of certificates larger than this is refused. */
const MAX_FILE_BYTES = 4 * 1024 * 1024;

const FILES = [
  ['caFile', 'ca'],
  ['certFile', 'cert'],
  ['keyFile', 'key'],
] as const;

export class TlsFiles {
  readonly #contexts = new Map<string, SecureContext>();

  /**
   * Options for connections to servers of this configuration.
   *
   * @throws {Error} naming field and file, when one cannot be read or is not what it should be.
   */
  optionsFor(config: TlsConfig): UpstreamTls {
    const { serverName, insecureSkipVerify } = config;
    return {
      secureContext: this.#contextOf(config),
      rejectUnauthorized: !insecureSkipVerify,
      ...(serverName === undefined ? {} : { servername: serverName }),
    };
  }

  #contextOf(config: TlsConfig): SecureContext {
    const key = JSON.stringify(FILES.map(([field]) => config[field]));
    let context = this.#contexts.get(key);
    if (context === undefined) {
      context = contextOf(config);
      this.#contexts.set(key, context);
    }
    return context;
  }
}

function contextOf(config: TlsConfig): SecureContext {
  const options: { [name in (typeof FILES)[number][1]]?: Buffer } = {};
  for (const [field, name] of FILES) {
    const file = config[field];
    if (file === undefined) continue;
    const bytes = read(field, file);
    // One by one first, so that what is wrong can be named. A bundle without any certificate would be taken silently.
    if (!/-----BEGIN [A-Z ]+-----/.test(bytes.toString('latin1'))) throw new Error(`tls.${field} ${file}: is not PEM`);
    options[name] = bytes;
    if (name !== 'key') attempt(`tls.${field} ${file}`, { [name]: bytes });
  }
  return attempt(`tls.keyFile ${config.keyFile ?? ''}`, options);
}

function attempt(what: string, options: Parameters<typeof createSecureContext>[0]): SecureContext {
  try {
    return createSecureContext(options);
  } catch (error) {
    throw new Error(`${what}: cannot be used: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

function read(field: string, file: string): Buffer {
  let why: string;
  try {
    const bytes = readBoundedSync(file, MAX_FILE_BYTES);
    if (bytes.length <= MAX_FILE_BYTES) return bytes;
    why = `is larger than ${MAX_FILE_BYTES} bytes`;
  } catch (error) {
    if (error instanceof IrregularFile) why = error.message;
    else why = `cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  }
  throw new Error(`tls.${field} ${file}: ${why}`);
}
