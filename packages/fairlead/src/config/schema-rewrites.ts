// SPDX-License-Identifier: Apache-2.0

/** The section `modelRewrites`, in the shape of the reference's InferenceModelRewrite rules. */

import type { ParameterSpecs } from '@fairlead/core';

export const rewriteFields = {
  name: { type: 'string', required: true, doc: 'What metrics and log call it; unique.' },
  matches: {
    type: 'list',
    default: [],
    doc: 'Requests it is for, any of them; without any, those that no other rule is for, also when they name no model.',
    of: {
      type: 'object',
      doc: 'A match.',
      fields: {
        model: {
          type: 'object',
          required: true,
          doc: 'The model that the request names.',
          fields: {
            type: { type: 'string', default: 'Exact', choices: ['Exact'], doc: 'How names are compared.' },
            value: { type: 'string', required: true, doc: 'The name; one rule may have it.' },
          },
        },
      },
    },
  },
  targets: {
    type: 'list',
    default: [],
    doc: 'Where it goes: one of these, by chance, in proportion to their weights.',
    of: {
      type: 'object',
      doc: 'A target.',
      fields: {
        modelRewrite: { type: 'string', required: true, doc: 'The model that is asked for instead.' },
        weight: {
          type: 'integer',
          min: 1,
          max: 1_000_000,
          defaultDoc: 'all the same when none has one; else never chosen',
          doc: 'Its share.',
        },
      },
    },
  },
} as const satisfies ParameterSpecs;
