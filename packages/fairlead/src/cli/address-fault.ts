// SPDX-License-Identifier: Apache-2.0

/** Why an address cannot be listened on, and which flag of the command line would change that. */

export interface WantedAddress {
  readonly host: string;
  readonly port: number;
  /** Before `port` and `host` in the names of the flags. */
  readonly prefix?: string;
}

/** In words, for an error that `listen` gave; undefined when it is about something else. */
export function addressFault(error: unknown, { host, port, prefix = '' }: WantedAddress): string | undefined {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'EADDRINUSE':
      return `port ${port} of ${host} is taken by another program; choose another with --${prefix}port`;
    case 'EACCES':
      return `not allowed to listen on port ${port}; choose another with --${prefix}port`;
    case 'EADDRNOTAVAIL':
      return `${host} is not an address of this machine; choose another with --${prefix}host`;
    case 'ENOTFOUND':
      return `${host} is not known; choose another with --${prefix}host`;
    default:
      return undefined;
  }
}
