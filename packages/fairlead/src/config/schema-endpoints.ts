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

export const endpointFields = {
  url: {
    type: 'string',
    required: true,
    hidden: true,
    doc: 'Base URL, `http://host:port[/prefix]` or `https://…`; unique.',
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
    doc: 'How an `https://` server is spoken to: requests, health, models and metrics alike. Files are relative to this file and are read at the start.',
  },
} as const satisfies ParameterSpecs;
