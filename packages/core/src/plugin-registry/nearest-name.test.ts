// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nearestName } from './nearest-name.ts';

describe('the nearest name', () => {
  const names = ['round-robin-fairness-policy', 'global-strict-fairness-policy', 'maxBytes', 'maxRequests'];

  it('forgives letters that are missing, doubled, wrong, swapped or of another case', () => {
    assert.equal(nearestName('round-robbin-fairness-policy', names), 'round-robin-fairness-policy');
    assert.equal(nearestName('maxbytes', names), 'maxBytes');
    assert.equal(nearestName('maxBtyes', names), 'maxBytes');
    assert.equal(nearestName('maxRequest', names), 'maxRequests');
  });

  it('is the only one that begins so, when none is near', () => {
    assert.equal(nearestName('round-robin', names), 'round-robin-fairness-policy');
    assert.equal(nearestName('RoundRobin', names), 'round-robin-fairness-policy');
    assert.equal(nearestName('max', names), undefined);
    assert.equal(nearestName('ro', names), undefined);
  });

  it('is nothing when nothing is near', () => {
    assert.equal(nearestName('weight', names), undefined);
    assert.equal(nearestName('x', names), undefined);
    assert.equal(nearestName('y'.repeat(10_000), names), undefined);
  });

  it('takes the first of two that are equally near', () => {
    assert.equal(nearestName('cat', ['bat', 'rat']), 'bat');
  });
});
