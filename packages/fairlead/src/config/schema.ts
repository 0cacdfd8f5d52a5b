// SPDX-License-Identifier: Apache-2.0

/**
 * The configuration file as data: every field with its type, range, default and meaning. The check, the TypeScript
 * types, the reference page and the rendering of `check --resolved` all come from here. Defaults that depend on other
 * fields are filled in where the section is resolved, and are put into words here.
 */

import { DEFAULT_COST_WEIGHTS } from '@fairlead/core';
import type { HalfCheckedOf, ParameterSpecs } from '@fairlead/core';
import { endpointFields } from './schema-endpoints.ts';
import { gatewayFields, identityFields, priority } from './schema-gateway.ts';
import { fairnessFields } from './schema-fairness.ts';
import { healthFields, outlierDetectionFields } from './schema-health.ts';
import { rewriteFields } from './schema-rewrites.ts';

export const API_VERSION = 'llm-d.ai/v1alpha1';
export const OLD_API_VERSION = 'inference.networking.x-k8s.io/v1alpha1';
export const KIND = 'EndpointPickerConfig';

export const bandFields = {
  maxBytes: {
    type: 'quantity',
    defaultDoc: '`1G`, also for `0`',
    doc: 'Bytes of request bodies waiting in the band at most.',
  },
  maxRequests: { type: 'quantity', defaultDoc: '`5000`, also for `0`', doc: 'Requests waiting in the band at most.' },
  fairnessPolicyRef: {
    type: 'plugin-ref',
    kind: 'fairness',
    defaultDoc: '`virtual-token-counter-fairness-policy` in `serve`, `global-strict-fairness-policy` in the reference',
    doc: 'Which flow of the band is served next.',
  },
  orderingPolicyRef: {
    type: 'plugin-ref',
    kind: 'ordering',
    defaultDoc: '`fcfs-ordering-policy`',
    doc: 'Which request of the flow is served next.',
  },
} as const satisfies ParameterSpecs;

const saturationDetectorFields = {
  pluginRef: {
    type: 'plugin-ref',
    kind: 'saturation',
    required: true,
    doc: 'What measures how full the servers are.',
  },
} as const satisfies ParameterSpecs;

const parserFields = {
  pluginRef: { type: 'plugin-ref', kind: 'parser', required: true, doc: 'A parser.' },
} as const satisfies ParameterSpecs;

const notYet = 'Not in this version: refused.';

const pluginFields = {
  name: { type: 'string', defaultDoc: 'the type', doc: 'How the rest of the file refers to it; unique.' },
  type: {
    type: 'string',
    defaultDoc: 'required; may be left out when `module` defines one type',
    doc: 'A registered type, or one that `module` defines.',
  },
  parameters: { type: 'any', doc: 'As the type asks for, see the plugin pages; unknown parameters are refused.' },
  module: {
    type: 'string',
    pattern: { test: /^[^\0]+$/, allowed: 'a path relative to this file, or the name of a package' },
    doc: 'A JavaScript module whose default export (or `plugin`) is a definition of your own, or a list of them. It is run when the file is loaded or checked.',
  },
} as const satisfies ParameterSpecs;

const profileFields = {
  name: { type: 'string', required: true, doc: 'Unique.' },
  plugins: {
    type: 'list',
    default: [],
    doc: 'Its filters, scorers and picker.',
    of: {
      type: 'object',
      doc: 'A filter, a scorer or a picker.',
      fields: {
        pluginRef: { type: 'string', required: true, doc: 'Name of a filter, a scorer or a picker.' },
        weight: { type: 'number', defaultDoc: '`1`', doc: 'What the score is multiplied by; for scorers only.' },
      },
    },
  },
} as const satisfies ParameterSpecs;

export const dataLayerFields = {
  injectDefaults: {
    type: 'boolean',
    default: true,
    doc: 'Add `metrics-data-source` → `core-metrics-extractor` unless the source is listed.',
  },
  sources: {
    type: 'list',
    default: [],
    doc: 'Where figures of the endpoints come from.',
    of: {
      type: 'object',
      doc: 'A source.',
      fields: {
        pluginRef: { type: 'plugin-ref', kind: 'data-source', required: true, doc: 'A data source.' },
        extractors: {
          type: 'list',
          default: [],
          doc: 'What is read from it.',
          of: {
            type: 'object',
            doc: 'An extractor.',
            fields: { pluginRef: { type: 'plugin-ref', kind: 'extractor', required: true, doc: 'An extractor.' } },
          },
        },
      },
    },
  },
  discovery: {
    type: 'object',
    doc: 'Where endpoints come from, beside `endpoints`.',
    fields: { pluginRef: { type: 'plugin-ref', kind: 'discovery', required: true, doc: 'A discovery plugin.' } },
  },
  peerDiscovery: { type: 'any', doc: notYet },
  crossReplicaSyncerPluginRef: { type: 'any', doc: notYet },
  crossReplicaSyncInterval: { type: 'any', doc: notYet },
} as const satisfies ParameterSpecs;

const costOf = { type: 'number', min: 0, max: 1_000_000 } as const;

export const costFields = {
  inputToken: {
    ...costOf,
    exclusiveMin: true,
    default: DEFAULT_COST_WEIGHTS.inputToken,
    doc: 'A token of the prompt.',
  },
  cachedInputToken: {
    ...costOf,
    default: DEFAULT_COST_WEIGHTS.cachedInputToken,
    doc: 'A token of the prompt that the model server had in its cache, by its own figures.',
  },
  outputToken: {
    ...costOf,
    exclusiveMin: true,
    default: DEFAULT_COST_WEIGHTS.outputToken,
    doc: 'A token of the answer.',
  },
  image: {
    ...costOf,
    default: DEFAULT_COST_WEIGHTS.image,
    doc: 'An image in the prompt, beside the tokens that the model server counts for it.',
  },
} as const satisfies ParameterSpecs;

const flowControlFields = {
  maxBytes: {
    type: 'quantity',
    default: 0,
    doc: 'Bytes of request bodies waiting in all bands at most; `0` for no limit.',
  },
  maxRequests: { type: 'quantity', default: 0, doc: 'Requests waiting in all bands at most; `0` for no limit.' },
  defaultRequestTTL: {
    type: 'duration',
    min: 0,
    defaultDoc: '`50s` in `serve`, `60s` in the reference',
    doc: 'How long a request waits at most while there are endpoints; `0s` for ever.',
  },
  noEndpointRequestTTL: {
    type: 'duration',
    min: 0,
    defaultDoc: '`10s` in `serve` (or `defaultRequestTTL` when that is shorter), `defaultRequestTTL` in the reference',
    doc: 'How long a request waits at most while there are no endpoints; `0s` for ever.',
  },
  maxFlowShare: {
    type: 'number',
    min: 0,
    exclusiveMin: true,
    max: 1,
    defaultDoc: '`0.5` in `serve`, `1` in the reference',
    doc: "Share of a band's limits that one flow may fill (not in the reference).",
  },
  defaultPriorityBand: {
    type: 'object',
    default: {},
    doc: 'Band 0, and every band that is made because an objective or a key names its priority.',
    fields: bandFields,
  },
  defaultNegativePriorityBand: {
    type: 'object',
    doc: 'As `defaultPriorityBand`, for priorities below 0.',
    defaultDoc: '`defaultPriorityBand`',
    fields: bandFields,
  },
  priorityBands: {
    type: 'list',
    default: [],
    doc: 'Bands of their own.',
    of: {
      type: 'object',
      doc: 'A band.',
      fields: { priority: { ...priority, default: 0, doc: 'Higher is served first; unique.' }, ...bandFields },
    },
  },
  bandSelectionPolicyRef: {
    type: 'plugin-ref',
    kind: 'band-selection',
    default: 'strict-band-selection-policy',
    doc: 'Which band is served next.',
  },
  usageLimitPolicyPluginRef: {
    type: 'plugin-ref',
    kind: 'usage-limit',
    default: 'static-usage-limit-policy',
    doc: 'The saturation at which each band stops dispatching.',
  },
  saturationDetector: {
    type: 'object',
    doc: 'What measures saturation.',
    defaultDoc: '`adaptive-concurrency-detector` in `serve`, `utilization-detector` in the reference',
    fields: saturationDetectorFields,
  },
  costModel: {
    type: 'object',
    default: {},
    doc: 'What requests cost, for fairness policies that count it (not in the reference).',
    fields: costFields,
  },
  enableEviction: { type: 'boolean', default: false, doc: 'Not in this version: `true` is refused.' },
} as const satisfies ParameterSpecs;

const objectiveFields = {
  name: { type: 'string', required: true, doc: 'What `x-llm-d-inference-objective` names; unique.' },
  priority: { ...priority, default: 0, doc: 'Higher is served first.' },
} as const satisfies ParameterSpecs;

/** The whole file. */
export const configFields = {
  apiVersion: {
    type: 'string',
    required: true,
    choices: [API_VERSION, OLD_API_VERSION],
    doc: `Version of the format; \`${OLD_API_VERSION}\` is deprecated.`,
  },
  kind: { type: 'string', required: true, choices: [KIND], doc: 'What the file is.' },
  featureGates: {
    type: 'list',
    default: [],
    of: { type: 'string', doc: '`NAME`, `NAME=true` or `NAME=false`.' },
    doc: 'Gates: `flowControl` (on in `serve`, off in the reference) and `haPopulateNonLeaderDatastore` (accepted, without effect).',
  },
  plugins: {
    type: 'list',
    default: [],
    of: { type: 'object', fields: pluginFields, doc: 'A plugin.' },
    doc: 'Plugins with a name or parameters of their own. A type that needs neither can be referred to without an entry.',
  },
  schedulingProfiles: {
    type: 'list',
    default: [],
    of: { type: 'object', fields: profileFields, doc: 'A profile.' },
    defaultDoc:
      'one profile `default` of every filter, scorer and picker in `plugins`; when there are none, in `serve`, of `queue-scorer` (2), `kv-cache-utilization-scorer` (2), `active-request-scorer` (4)',
    doc: 'How the endpoint of a request is chosen.',
  },
  dataLayer: { type: 'object', default: {}, fields: dataLayerFields, doc: 'Where endpoints and figures come from.' },
  flowControl: { type: 'object', default: {}, fields: flowControlFields, doc: 'Who waits, where and for how long.' },
  requestHandler: {
    type: 'object',
    default: {},
    doc: 'How requests are read.',
    fields: {
      parsers: {
        type: 'list',
        default: [],
        of: { type: 'object', fields: parserFields, doc: 'A parser.' },
        defaultDoc: '`openai-parser`, `anthropic-parser`, `vllmhttp-parser`, `passthrough-parser`',
        doc: 'Parsers by which requests are read.',
      },
    },
  },
  saturationDetector: {
    type: 'object',
    fields: saturationDetectorFields,
    doc: 'Deprecated: use `flowControl.saturationDetector`.',
  },
  parser: { type: 'object', fields: parserFields, doc: 'Deprecated: use `requestHandler.parsers`.' },
  endpoints: {
    type: 'list',
    default: [],
    doc: 'Model servers (not in the reference).',
    of: {
      type: 'object',
      doc: 'A model server.',
      fields: endpointFields,
    },
  },
  gateway: {
    type: 'object',
    default: {},
    fields: gatewayFields,
    doc: 'Limits and times of the gateway (not in the reference).',
  },
  health: {
    type: 'object',
    default: {},
    fields: healthFields,
    doc: 'How endpoints that come back are let in (not in the reference).',
  },
  outlierDetection: {
    type: 'object',
    default: {},
    fields: outlierDetectionFields,
    doc: 'When endpoints are set aside that are up by their own word, for a time that doubles (not in the reference).',
  },
  fairness: {
    type: 'object',
    default: {},
    fields: fairnessFields,
    doc: 'Shares of tenants, for fairness policies that weigh (not in the reference).',
  },
  identity: { type: 'object', default: {}, fields: identityFields, doc: 'Who is asking (not in the reference).' },
  inferenceObjectives: {
    type: 'list',
    default: [],
    of: { type: 'object', fields: objectiveFields, doc: 'An objective.' },
    doc: 'Priorities by name, as the InferenceObjective resources of the reference.',
  },
  modelRewrites: {
    type: 'list',
    default: [],
    of: { type: 'object', fields: rewriteFields, doc: 'A rule.' },
    doc: 'Names of models that stand for others, as the InferenceModelRewrite resources of the reference.',
  },
} as const satisfies ParameterSpecs;

/** A checked file; what had problems is its default or undefined. */
export type ConfigFields = HalfCheckedOf<typeof configFields>;
