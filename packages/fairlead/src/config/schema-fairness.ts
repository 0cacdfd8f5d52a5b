// SPDX-License-Identifier: Apache-2.0

/** The section `fairness`: the shares of tenants that have no entry of their own. */

import type { ParameterSpecs } from '@fairlead/core';
import { weight } from './schema-gateway.ts';

const weightFields = {
  id: { type: 'string', doc: 'A fairness id; give this or `glob`.' },
  glob: {
    type: 'string',
    doc: 'Fairness ids: `*` stands for any characters, `?` for one. The first that fits counts.',
  },
  weight: { ...weight, required: true },
} as const satisfies ParameterSpecs;

export const fairnessFields = {
  weights: {
    type: 'list',
    default: [],
    maxItems: 10_000,
    of: { type: 'object', fields: weightFields, doc: 'A share.' },
    doc: 'Shares by fairness id. What `identity` says of a tenant or a key goes before.',
  },
  defaultWeight: { ...weight, default: 1, doc: 'The share of everybody else.' },
} as const satisfies ParameterSpecs;
