// SPDX-License-Identifier: Apache-2.0

/**
 * The reference's plugins that stand for input and output: where endpoints and metrics come from, which requests can be
 * read. Here they are names with strict parameters and nothing else; what they ask for is done by the rooms that own the
 * sockets.
 */

import { definePlugin, PluginError } from '@fairlead/core';
import type { ParameterSpecs, Plugin, PluginDefinition, PluginKind } from '@fairlead/core';
import { ENGINE_METRICS } from '../model-servers/engine-metrics.ts';
import { engineConfigFields, engineProblem } from './engine-configs.ts';
import { NOT_IN_THIS_VERSION } from './known-types.ts';

/** An instance that only holds its parameters. */
export interface DataPlugin extends Plugin {
  readonly parameters: Readonly<Record<string, unknown>>;
}

interface DataPluginFacts<S extends ParameterSpecs> {
  readonly type: string;
  readonly kind: PluginKind;
  readonly summary: string;
  readonly parameters: S;
  /** Parameters that are right but ask for something that is not here. */
  readonly refused?: readonly (keyof S & string)[];
  /** What is wrong with parameters that are right one by one. */
  readonly check?: (given: Readonly<Record<string, unknown>>) => string | undefined;
}

function dataPlugin<const S extends ParameterSpecs>(facts: DataPluginFacts<S>) {
  const { type, kind, summary, parameters, refused = [], check } = facts;
  return definePlugin({
    type,
    kinds: [kind],
    stability: 'beta',
    summary,
    parameters,
    create: (context): DataPlugin => {
      const given = context.parameters as Readonly<Record<string, unknown>>;
      const asked = refused.find((name) => given[name] !== undefined);
      if (asked !== undefined) throw new PluginError(`parameter \`${asked}\` ${NOT_IN_THIS_VERSION}`);
      const wrong = check?.(given);
      if (wrong !== undefined) throw new PluginError(wrong);
      return { type: context.type, name: context.name, parameters: given };
    },
  });
}

const engineNames = ENGINE_METRICS.map(({ engine }) => `\`${engine}\``).join(', ');

const pemFile = { type: 'string', pattern: { test: /^[^\0]+$/, allowed: 'the path of a file' } } as const;

export const metricsDataSource = dataPlugin({
  type: 'metrics-data-source',
  kind: 'data-source',
  summary: 'Reads the metrics page of every endpoint at an interval.',
  parameters: {
    scheme: { type: 'string', default: 'http', choices: ['http', 'https'], doc: 'How metrics pages are fetched.' },
    path: {
      type: 'string',
      default: '/metrics',
      pattern: { test: /^\/[!-~]*$/, allowed: 'a path that begins with /' },
      doc: 'Path of the metrics page.',
    },
    port: { type: 'integer', min: 1, max: 65_535, doc: 'Port of the metrics page.', defaultDoc: "the endpoint's own" },
    insecureSkipVerify: {
      type: 'boolean',
      doc: 'Accept any certificate when `scheme` is `https`.',
      defaultDoc: '`true`, or `false` with a `caCertPath`',
    },
    caCertPath: {
      ...pemFile,
      doc: 'Certificates (PEM) of the authorities that the certificate of a page may come from.',
    },
    clientCertPath: {
      ...pemFile,
      doc: 'Our own certificate (PEM), for servers that ask for one; with `clientKeyPath`.',
    },
    clientKeyPath: { ...pemFile, doc: 'The private key (PEM) of `clientCertPath`.' },
    interval: {
      type: 'duration',
      min: 10,
      max: 3_600_000,
      doc: 'Time between two readings of an endpoint.',
      defaultDoc: '`500ms` in `serve`, `50ms` in the reference',
    },
  },
  check: ({ clientCertPath, clientKeyPath, caCertPath, insecureSkipVerify }) => {
    if ((clientCertPath === undefined) !== (clientKeyPath === undefined)) {
      return 'parameters `clientCertPath` and `clientKeyPath` need each other';
    }
    if (caCertPath === undefined || insecureSkipVerify !== true) return undefined;
    return 'parameter `caCertPath` would not be looked at: leave it out, or set `insecureSkipVerify` to false';
  },
});

export const coreMetricsExtractor = dataPlugin({
  type: 'core-metrics-extractor',
  kind: 'extractor',
  summary: 'Reads queue, running and KV cache figures from a metrics page, by the names that its engine uses.',
  parameters: {
    engineLabelKey: {
      type: 'string',
      default: 'llm-d.ai/engine-type',
      doc: 'Label of an endpoint that names its engine; by default `inference.networking.k8s.io/engine-type` counts as well.',
    },
    defaultEngine: {
      type: 'string',
      doc: `Engine of endpoints without that label, or with one that names no engine: one of ${engineNames}, or of \`engineConfigs\`; \`auto\` recognises it from the page.`,
      defaultDoc: '`auto` in `serve`, `vllm` in the reference',
    },
    engineConfigs: {
      type: 'list',
      default: [],
      maxItems: 32,
      of: { type: 'object', fields: engineConfigFields, doc: 'An engine.' },
      doc: 'Engines beside those built in, or in place of one of the same name.',
    },
  },
  check: ({ engineConfigs, defaultEngine }) =>
    engineProblem(engineConfigs as Parameters<typeof engineProblem>[0], defaultEngine as string | undefined),
});

export const fileDiscovery = dataPlugin({
  type: 'file-discovery',
  kind: 'discovery',
  summary: 'Takes the endpoints from a file.',
  parameters: {
    path: {
      type: 'string',
      required: true,
      pattern: { test: /^[^\0]+$/, allowed: 'the path of a file' },
      doc: 'The file, relative to the working directory.',
    },
    watchFile: { type: 'boolean', default: false, doc: 'Read the file again when it changes.' },
  },
});

function parser(type: string, summary: string): PluginDefinition {
  return dataPlugin({ type, kind: 'parser', summary, parameters: {} });
}

/** Every one of them, in the order of the reference page. */
export const dataPlugins: readonly PluginDefinition[] = [
  metricsDataSource,
  coreMetricsExtractor,
  fileDiscovery,
  parser('openai-parser', "Reads requests of OpenAI's API."),
  parser('anthropic-parser', "Reads requests of Anthropic's API."),
  parser('vllmhttp-parser', "Reads requests of vLLM's own routes."),
  parser('passthrough-parser', 'Passes on what no other parser reads.'),
];
