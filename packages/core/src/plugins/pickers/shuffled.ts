// SPDX-License-Identifier: Apache-2.0

/** The fair shuffle that pickers break ties with. */

import type { Random } from '../../clock.ts';

/** Shuffles the array it is given and returns it (Fisher and Yates, in Durstenfeld's form): every order is equally likely. */
export function shuffled<T>(items: T[], random: Random): T[] {
  for (let last = items.length - 1; last > 0; last -= 1) {
    const other = Math.floor(random() * (last + 1));
    const item = items[last] as T;
    items[last] = items[other] as T;
    items[other] = item;
  }
  return items;
}
