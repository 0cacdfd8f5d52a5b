// SPDX-License-Identifier: Apache-2.0

/** Whatever is played, what is reported of it is within what policies promise. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { seededRandom } from '@fairlead/core/testing';
import { EIGHT, played } from '../../../../test/kit/played-scenario.ts';

const SCENARIOS = 10;
const POLICIES = ['virtual-token-counter-fairness-policy', 'deficit-round-robin-fairness-policy'];
const ARRIVALS = [
  '{ loops: 10 }',
  '{ loops: 40 }',
  '{ kind: poisson, ratePerS: 5 }',
  '{ kind: bursts, ratePerS: 3, burst: 30 }',
  '{ kind: on-off, ratePerS: 20, on: 3s, off: 5s }',
];
const FAULTS = `faults:
  - { at: 20s, for: 5s, server: 1, what: kill }
  - { at: 40s, for: 20s, server: 1, what: flap, period: 2s }
`;

for (let seed = 1; seed <= SCENARIOS; seed += 1) {
  test(`tenants come no further apart than their band promises, and all shares are one, in scenario ${seed}`, async () => {
    const random = seededRandom(seed);
    const of = <T>(choices: readonly T[]): T => choices[Math.floor(random() * choices.length)] as T;
    const sizes = (): string =>
      `{ kind: ${of(['fixed', 'uniform', 'log-normal', 'heavy-tail'])}, tokens: ${of([10, 100, 400])}, max: ${of([400, 3000])} }`;
    const tenants = Array.from({ length: 2 + Math.floor(random() * 5) }, (_, index) => {
      const who = `name: t${index}, weight: ${of([1, 1, 2, 5])}, arrivals: ${of(ARRIVALS)}`;
      const more = `saysMaxTokens: ${of([true, false])}${of(['', ', givesUpAfter: 5s'])}${of(['', ', sharedPromptTokens: 200'])}`;
      return `  - { ${who}, promptTokens: ${sizes()}, outputTokens: ${sizes()}, ${more} }\n`;
    });
    const fleet = `{ servers: ${of([1, 2, 3])}, slots: 8, prefillTokensPerS: 5000, prefixCacheTokens: ${of([0, 20000])} }`;
    const result = await played(
      `seed: ${seed}\nduration: 80s\nfleet: ${fleet}\n${of(['', FAULTS])}tenants:\n${tenants.join('')}`,
      `${EIGHT}  defaultPriorityBand: { fairnessPolicyRef: ${of(POLICIES)} }\n`,
    );
    let shares = 0;
    for (const {
      name,
      share,
      maxLagTokens,
      boundTokens,
      requests,
      answered,
      broken,
      gaveUp,
      drops,
    } of result.tenants) {
      shares += share;
      assert.ok(maxLagTokens <= boundTokens!, `${name}: ${maxLagTokens} of ${boundTokens}`);
      const over = answered + broken + gaveUp + Object.values(drops).reduce((sum, count) => sum + count, 0);
      assert.ok(over > 0 && over <= requests, `${name}: ${over} of ${requests} have an end`);
    }
    assert.ok(Math.abs(shares - 1) < 1e-9);
    assert.equal(result.fleet.overCapacityS, 0);
  });
}
