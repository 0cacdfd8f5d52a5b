// SPDX-License-Identifier: Apache-2.0

/** Who says what a request counts for in tokens: the one `inflight-load-producer`, configured or only referred to. */

import type { TokenEstimator } from '@fairlead/core';
import { inflightLoadProducer } from '@fairlead/core/plugins';
import type { Resolution } from './resolution.ts';

/** To be asked when all references are resolved; undefined when nobody wants one. Adds a problem for a second. */
export function resolveLoadProducer({ handle, problems }: Resolution): TokenEstimator | undefined {
  const { type } = inflightLoadProducer;
  const [first, second] = handle.records('producer').filter(({ definition }) => definition.type === type);
  if (first !== undefined && second !== undefined) {
    const path = handle.configured().find(({ name }) => name === second.instance.name)?.path ?? ['plugins'];
    const message = `a second ${type} ('${first.instance.name}' and '${second.instance.name}'): what is in flight has one account, so only one is allowed`;
    problems.push({ path, message, at: 'key' });
  }
  return first?.instance as (typeof first & object)['instance'] & TokenEstimator;
}
