// SPDX-License-Identifier: Apache-2.0

/** The `endpoints` section of the configuration file: model servers, and how they are spoken to. */

import type { ParameterSpecs } from '@fairlead/core';
import { shortName } from './schema-gateway.ts';

const fileName = { test: /^[^\0]+$/, allowed: 'the path of a file' } as const;

const tlsFields = {
  caFile: {
    type: 'string',
    pattern: fileName,
    defaultDoc: 'the authorities that Node.js comes with',
    doc: 'Certificates (PEM) of the authorities that its certificate may come from.',
  },
  certFile: {
    type: 'string',
    pattern: fileName,
    doc: 'Our own certificate (PEM), for servers that ask for one; with `keyFile`.',
  },
  keyFile: { type: 'string', pattern: fileName, doc: 'The private key (PEM) of `certFile`, without a passphrase.' },
  serverName: {
    type: 'string',
    pattern: { test: /^(?=.{1,253}$)[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/, allowed: 'a host name' },
    defaultDoc: "the URL's host",
    doc: 'The name that it is asked for (SNI) and that its certificate has to hold.',
  },
  insecureSkipVerify: {
    type: 'boolean',
    default: false,
    doc: 'Accept any certificate: whoever can get between may read and change everything.',
  },
} as const satisfies ParameterSpecs;

/** `address` or `[address]`, with or without a port. */
const NAME_SERVER = /^(\d{1,3}(\.\d{1,3}){3}(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?|[0-9A-Fa-f:]+:[0-9A-Fa-f:]*)$/;

export const dnsFields = {
  records: {
    type: 'string',
    default: 'address',
    choices: ['address', 'srv'],
    doc: "`address`: an endpoint for each A record (AAAA where there is no A), on the URL's port. `srv`: one for each address of the targets of its SRV records of the best priority, on their ports.",
  },
  refreshInterval: {
    type: 'duration',
    default: 30_000,
    min: 1_000,
    max: 86_400_000,
    doc: 'The name is asked again after this time, or when its answer expires, whichever is sooner.',
  },
  servers: {
    type: 'list',
    default: [],
    maxItems: 8,
    of: {
      type: 'string',
      pattern: { test: NAME_SERVER, allowed: 'the address of a name server, `10.0.0.10` or `10.0.0.10:53`' },
      doc: 'A name server.',
    },
    defaultDoc: "the system's",
    doc: 'Name servers that are asked.',
  },
  maxEndpoints: {
    type: 'integer',
    default: 256,
    min: 1,
    max: 10_000,
    doc: 'Of a longer answer, so many are taken.',
  },
} as const satisfies ParameterSpecs;

export const endpointFields = {
  url: {
    type: 'string',
    required: true,
    hidden: true,
    doc: 'Base URL, `http://host:port[/prefix]` or `https://…`; unique.',
  },
  dns: {
    type: 'object',
    fields: dnsFields,
    doc: 'Its host is a name that stands for many servers, as DNS says (`dns: {}` for the defaults): a fully qualified one, because search domains are not tried. A bad answer, or none, changes nothing.',
    defaultDoc: 'one server, whatever its name resolves to',
  },
  name: {
    type: 'string',
    pattern: shortName,
    defaultDoc: 'host, port and prefix of the URL',
    doc: 'What logs and metrics call it; unique.',
  },
  labels: { type: 'map', default: {}, doc: 'Labels that filters and engines are told by.' },
  models: {
    type: 'list',
    default: [],
    of: { type: 'string', pattern: { test: /^[^\s]{1,256}$/, allowed: 'a model name' }, doc: 'A model.' },
    defaultDoc: 'what its `/v1/models` says',
    doc: 'Base models it serves.',
  },
  apiKeyEnv: {
    type: 'string',
    hidden: true,
    pattern: { test: /^[A-Za-z_][A-Za-z0-9_]*$/, allowed: 'the name of an environment variable' },
    doc: 'Environment variable with the key sent to it as `Authorization: Bearer …`.',
  },
  tls: {
    type: 'object',
    fields: tlsFields,
    defaultDoc: 'certificates are verified, none of our own is shown',
    doc: 'How an `https://` server is spoken to: requests, health, models and metrics alike. Files are relative to this file, and are read at the start and whenever the configuration is loaded again.',
  },
} as const satisfies ParameterSpecs;
