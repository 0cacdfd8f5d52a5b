// SPDX-License-Identifier: Apache-2.0

/** Who is set aside for what requests came to, for how long, and who is not, under a virtual clock. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Endpoint } from '@fairlead/core';
import { VirtualClock } from '@fairlead/core/testing';
import { OUTLIERS } from '../../../../test/kit/outlier-detection.ts';
import type { OutlierDetectionConfig } from '../config/resolved.ts';
import { Outliers } from './outliers.ts';
import { Problems } from './problems.ts';
import { ENOUGH_FIRST_BYTES, median } from './request-record.ts';

function pool(size: number, config: Partial<OutlierDetectionConfig> = {}) {
  const clock = new VirtualClock();
  const endpoints = Array.from({ length: size }, (_, index) => {
    return new Endpoint({ name: `s${index}`, url: `http://s${index}:1`, labels: {} });
  });
  const aside: (readonly [name: string, forMs: number, why: string])[] = [];
  const outliers = new Outliers({
    config: { ...OUTLIERS, ...config },
    clock,
    problems: new Problems(),
    poolOf: () => endpoints,
    setAside(endpoint, forMs, why) {
      aside.push([endpoint.name, forMs, why]);
      endpoint.up = false;
    },
  });
  for (const endpoint of endpoints) outliers.add(endpoint);
  const fail = (index: number, times: number, tenant = 'a'): void => {
    for (let count = 0; count < times; count += 1) outliers.failed(endpoints[index]!, 'answered 500', tenant);
  };
  const answer = (index: number, times: number, tenant = 'a'): void => {
    for (let count = 0; count < times; count += 1) outliers.answered(endpoints[index]!, tenant);
  };
  const back = (index: number): void => {
    endpoints[index]!.up = true;
    outliers.isBack(endpoints[index]!);
  };
  return { clock, endpoints, aside, outliers, fail, answer, back };
}

describe('an endpoint that fails requests', () => {
  it('in a row is set aside, and one that answers between is not', () => {
    const { aside, fail, answer } = pool(2);
    fail(0, 4);
    answer(0, 1);
    fail(0, 4);
    assert.deepEqual(aside, []);
    fail(0, 1);
    const why = 'set aside for 2 s: it failed 5 requests in a row, the last: answered 500';
    assert.deepEqual(aside, [['s0', 2000, why]]);
  });

  it('is set aside for twice as long each time that it comes back as bad, up to a limit', () => {
    const { aside, fail, back } = pool(2, { maxEjectionTimeMs: 10_000 });
    fail(0, 5);
    for (let time = 0; time < 4; time += 1) {
      back(0);
      fail(0, 1);
    }
    assert.deepEqual(
      aside.map(([, forMs]) => forMs),
      [2000, 4000, 8000, 10_000, 10_000],
    );
    assert.match(aside[1]![2], /it failed a request again/);
  });

  it('is trusted again once it has answered, and the longer it is good the more is forgotten', () => {
    const { clock, aside, fail, answer, back } = pool(2);
    const times = (): number[] => aside.map(([, forMs]) => forMs);
    fail(0, 5);
    back(0);
    fail(0, 1);
    back(0);
    answer(0, 1);
    fail(0, 4);
    assert.deepEqual(times(), [2000, 4000], 'it has answered: one failure is not enough any more');
    clock.advance(8000);
    fail(0, 1);
    assert.deepEqual(times(), [2000, 4000, 4000], 'twice its time out was good: halved once');
    back(0);
    clock.advance(3_600_000);
    answer(0, 1);
    fail(0, 5);
    assert.equal(times().at(-1), 2000);
  });

  it('now and then is set aside by its share, unless the others fail as often', () => {
    const alone = pool(3);
    for (let count = 0; count < 12; count += 1) {
      alone.answer(1, 2);
      alone.answer(0, 1);
      alone.fail(0, 1);
    }
    assert.match(alone.aside[0]?.[2] ?? '', /it failed 10 of 20 requests/);
    const together = pool(3);
    for (let count = 0; count < 50; count += 1) {
      for (const index of [0, 1, 2]) {
        together.answer(index, 1);
        together.fail(index, 1);
      }
    }
    assert.deepEqual(together.aside, []);
  });

  it('has its share taken over the interval only', () => {
    const { clock, aside, fail, answer } = pool(2);
    for (let count = 0; count < 9; count += 1) {
      answer(0, 1);
      fail(0, 1);
    }
    clock.advance(60_000);
    answer(0, 1);
    fail(0, 2);
    assert.deepEqual(aside, []);
  });

  it('is kept when less than half of its pool would be left, and the problem says so', () => {
    for (const [size, most] of [
      [1, 0],
      [2, 1],
      [3, 1],
      [4, 2],
      [5, 2],
    ] as const) {
      const { aside, endpoints, fail } = pool(size);
      for (let index = 0; index < size; index += 1) fail(index, 5);
      assert.equal(aside.length, most, `${most} of ${size}`);
      assert.match(endpoints.at(-1)?.problem ?? '', /in a row, .*; kept, because too few others of its pool are up/);
    }
    const { aside, endpoints, fail } = pool(4);
    endpoints[1]!.up = false;
    endpoints[2]!.up = false;
    fail(0, 5);
    assert.deepEqual(aside, [], 'those that are down count as well');
  });

  it('is not looked at when that is off, nor once it is down', () => {
    const off = pool(2, { enabled: false });
    off.fail(0, 100);
    assert.deepEqual(off.aside, []);
    const down = pool(2);
    down.endpoints[0]!.up = false;
    down.fail(0, 100);
    assert.deepEqual(down.aside, []);
  });

  it('is counted by reason', () => {
    const { outliers, fail, back } = pool(2);
    fail(0, 5);
    back(0);
    fail(0, 1);
    assert.deepEqual(outliers.ejections(), [{ endpoint: 's0', reason: 'failures-in-a-row', count: 2 }]);
  });
});

describe('an endpoint that fails the requests of one tenant', () => {
  it('in a row is kept while others ask its pool, and the problem says so', () => {
    const { endpoints, aside, fail, answer } = pool(2);
    answer(1, 1, 'b');
    fail(0, 50);
    assert.deepEqual(aside, []);
    assert.match(
      endpoints[0]?.problem ?? '',
      /50 requests in a row, .*; kept, because the requests of one tenant failed/,
    );
    fail(0, 1, 'b');
    assert.match(aside[0]?.[2] ?? '', /it failed 51 requests in a row/, 'a second tenant: it is not the requests');
  });

  it('is set aside when the others have not asked for a while', () => {
    const { clock, aside, fail, answer } = pool(2);
    answer(1, 1, 'b');
    clock.advance(60_000);
    fail(0, 5);
    assert.equal(aside.length, 1);
  });

  it('by a share is kept, unless it fails the others by as much', () => {
    const kept = pool(2);
    for (let count = 0; count < 50; count += 1) {
      kept.answer(0, 1, 'b');
      kept.fail(0, 2);
    }
    assert.deepEqual(kept.aside, []);
    const bad = pool(2);
    for (let count = 0; count < 12; count += 1) {
      bad.fail(0, 1);
      bad.answer(0, 1, count % 2 === 0 ? 'a' : 'b');
      bad.fail(0, 1, 'b');
    }
    assert.match(bad.aside[0]?.[2] ?? '', /it failed \d+ of \d+ requests/);
  });

  it('again after it was set aside is kept while others ask', () => {
    const { aside, fail, answer, back } = pool(2);
    fail(0, 5);
    answer(1, 1, 'b');
    back(0);
    fail(0, 1);
    assert.equal(aside.length, 1);
    fail(0, 1, 'b');
    assert.equal(aside.length, 2);
  });

  it('is set aside for connections that it refuses, which no request can make it do', () => {
    const { endpoints, aside, answer, outliers } = pool(2);
    answer(1, 1, 'b');
    for (let count = 0; count < 5; count += 1) outliers.failed(endpoints[0]!, 'connection refused');
    assert.equal(aside.length, 1);
  });

  it('tells many tenants apart, and no more than it has room for', () => {
    const { aside, fail, answer } = pool(2);
    for (let count = 0; count < 200; count += 1) {
      answer(0, 1, `t${count}`);
      fail(0, 2, 'mallory');
    }
    assert.deepEqual(aside, []);
  });
});

describe('an endpoint whose first bytes are late', () => {
  function bytes(took: readonly number[], config: Partial<OutlierDetectionConfig> = {}) {
    const made = pool(took.length, config);
    for (let count = 0; count < ENOUGH_FIRST_BYTES; count += 1) {
      for (const [index, ms] of took.entries()) made.outliers.firstByte(made.endpoints[index]!, ms);
    }
    return made.aside.map(([name, , why]) => `${name} ${why}`);
  }

  it('by a multiple of the pool is set aside', () => {
    const why = 's2 set aside for 2 s: its first bytes take 2.5 s, those of the others 0.3 s';
    assert.deepEqual(bytes([300, 310, 2500]), [why]);
  });

  it('is kept when the pool is as slow, when it is not that slow, and when nobody is there to compare', () => {
    assert.deepEqual(bytes([3000, 2000, 9000]), []);
    assert.deepEqual(bytes([10, 10, 1999]), []);
    assert.deepEqual(bytes([60_000]), []);
  });

  it('is judged by the median: a few late ones are nothing', () => {
    const { outliers, endpoints, aside } = pool(2);
    for (let count = 0; count < 100; count += 1) {
      outliers.firstByte(endpoints[1]!, 100);
      outliers.firstByte(endpoints[0]!, count % 3 === 0 ? 60_000 : 100);
    }
    assert.deepEqual(aside, []);
    assert.equal(median([]), undefined);
    assert.equal(median([3, 1, 2]), 2);
  });
});
