// SPDX-License-Identifier: Apache-2.0

/**
 * Which endpoints may get the request? Those whose one label has one of some values, and, if told so, those without the
 * label. Deprecated in the reference and here for its configurations: choose label-selector-filter, which says the same
 * and more.
 */

import { PluginError, definePlugin } from '../../plugin-registry/plugin.ts';
import type { Filter } from '../../scheduling/contracts.ts';
import { kept, labelOf } from './kept.ts';

export const byLabel = definePlugin({
  type: 'by-label',
  kinds: ['filter'],
  stability: 'beta',
  summary: 'Keeps the endpoints whose label has one of some values; deprecated, use label-selector-filter.',
  parameters: {
    label: { type: 'string', required: true, doc: 'The name of the label.' },
    validValues: { type: 'list', default: [], of: { type: 'string', doc: 'A value.' }, doc: 'Values it may have.' },
    allowsNoLabel: { type: 'boolean', default: false, doc: 'Keep endpoints without the label too.' },
  },
  create: ({ type, name, parameters: { label, validValues, allowsNoLabel } }): Filter => {
    if (label === '') throw new PluginError('`label` must name a label, got ""');
    if (validValues.length === 0 && !allowsNoLabel) {
      throw new PluginError('`validValues` must have at least one value, or `allowsNoLabel` must be true');
    }
    const keeps = (labels: Readonly<Record<string, string>>) => {
      const value = labelOf(labels, label);
      return value === undefined ? allowsNoLabel : validValues.includes(value);
    };
    return { type, name, filter: (_request, endpoints) => kept(endpoints, keeps) };
  },
});
