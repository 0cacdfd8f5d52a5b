// SPDX-License-Identifier: Apache-2.0

/**
 * Which endpoints may get the request? Those whose labels fit, said as in Kubernetes: every label of `matchLabels` and
 * every requirement of `matchExpressions`; one that asks for nothing keeps all. Choose it to set a profile apart for some
 * of a pool's servers. `NotIn` is also true of endpoints without the label.
 */

import { PluginError, definePlugin } from '../../plugin-registry/plugin.ts';
import type { Filter } from '../../scheduling/contracts.ts';
import { kept, labelOf } from './kept.ts';

interface Operator {
  readonly takesValues: boolean;
  holds(value: string | undefined, values: readonly string[]): boolean;
}

const operators: Readonly<Record<string, Operator>> = {
  In: { takesValues: true, holds: (value, values) => value !== undefined && values.includes(value) },
  NotIn: { takesValues: true, holds: (value, values) => value === undefined || !values.includes(value) },
  Exists: { takesValues: false, holds: (value) => value !== undefined },
  DoesNotExist: { takesValues: false, holds: (value) => value === undefined },
};

interface Expression {
  readonly key: string;
  readonly operator: string;
  readonly values: readonly string[];
}

type Requirement = (labels: Readonly<Record<string, string>>) => boolean;

function requirementOf({ key, operator, values }: Expression, index: number): Requirement {
  const { takesValues, holds } = operators[operator] as Operator;
  if (takesValues !== values.length > 0) {
    const allowed = takesValues ? 'needs at least one of `values`' : 'takes no `values`';
    throw new PluginError(`matchExpressions[${index}]: operator ${operator} on ${key} ${allowed}`);
  }
  return (labels) => holds(labelOf(labels, key), values);
}

export const labelSelectorFilter = definePlugin({
  type: 'label-selector-filter',
  kinds: ['filter'],
  stability: 'beta',
  summary: 'Keeps the endpoints whose labels fit a Kubernetes label selector.',
  parameters: {
    matchLabels: { type: 'map', default: {}, doc: 'Labels that an endpoint has to have, with these values.' },
    matchExpressions: {
      type: 'list',
      default: [],
      doc: 'Requirements, each with a `key`, an `operator` (`In`, `NotIn`, `Exists`, `DoesNotExist`) and, for the first two, `values`.',
      of: {
        type: 'object',
        doc: 'A requirement.',
        fields: {
          key: { type: 'string', required: true, doc: 'The name of the label.' },
          operator: { type: 'string', required: true, choices: Object.keys(operators), doc: 'What has to be true.' },
          values: { type: 'list', default: [], of: { type: 'string', doc: 'A value.' }, doc: 'Values of the label.' },
        },
      },
    },
  },
  create: ({ type, name, parameters: { matchLabels, matchExpressions } }): Filter => {
    const equalities = Object.entries(matchLabels);
    const requirements = matchExpressions.map(requirementOf);
    const keeps: Requirement = (labels) =>
      equalities.every(([key, value]) => labelOf(labels, key) === value) &&
      requirements.every((requirement) => requirement(labels));
    return { type, name, filter: (_request, endpoints) => kept(endpoints, keeps) };
  },
});
