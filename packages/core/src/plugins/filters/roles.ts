// SPDX-License-Identifier: Apache-2.0

/** What the role filters share. */

import { ROLE_LABEL } from '../../endpoints/roles.ts';
import type { Role } from '../../endpoints/roles.ts';
import type { Filter } from '../../scheduling/contracts.ts';
import { kept, labelOf } from './kept.ts';

/** A filter that keeps endpoints with one of the roles; undefined stands for no label. */
export function keepsRoles({ type, name }: Pick<Filter, 'type' | 'name'>, roles: readonly Role[]): Filter {
  const keeps = (labels: Readonly<Record<string, string>>) => roles.includes(labelOf(labels, ROLE_LABEL));
  return { type, name, filter: (_request, endpoints) => kept(endpoints, keeps) };
}
