// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { formatDuration, parseDuration, parseQuantity } from './quantities.ts';

describe('Go durations', () => {
  it('are read as Go reads them, in milliseconds', () => {
    const cases: [string, number][] = [
      ['0', 0],
      ['0s', 0],
      ['-0s', 0],
      ['200ms', 200],
      ['1.5s', 1_500],
      ['.5s', 500],
      ['5.s', 5_000],
      ['+1m30s', 90_000],
      ['-2s', -2_000],
      ['1h2m3.004s', 3_723_004],
      ['3s1h', 3_603_000],
      ['10us', 0.01],
      ['10µs', 0.01],
      ['1ns', 0.000001],
      ['1.005s', 1_005],
    ];
    for (const [text, expectedMs] of cases) assert.equal(parseDuration(text), expectedMs, text);
  });

  it('are refused when Go refuses them', () => {
    const texts = [
      '',
      ' ',
      '1',
      '1 s',
      's',
      '.s',
      '1d',
      '1e3s',
      '--1s',
      '1s ',
      '1S',
      'NaN',
      'Infinitys',
      '300000000h',
      '9'.repeat(80),
    ];
    for (const text of texts) assert.equal(parseDuration(text), undefined, text);
  });

  it('are written so that they are read as the same time', () => {
    assert.equal(formatDuration(90_000), '1m30s');
    assert.equal(formatDuration(0), '0s');
    assert.equal(formatDuration(-1_500), '-1s500ms');
    const times = fc.oneof(
      fc.nat(),
      fc.nat({ max: 1e9 }).map((ns) => Math.round(ns) / 1e6),
      fc.integer({ min: 0, max: 2 ** 43 }),
    );
    fc.assert(fc.property(times, (timeMs) => assert.equal(parseDuration(formatDuration(timeMs)), timeMs)));
  });

  it('never make the reader fail, whatever the text', () => {
    fc.assert(
      fc.property(fc.string(), (text) => assert.ok(['number', 'undefined'].includes(typeof parseDuration(text)))),
    );
  });
});

describe('Kubernetes quantities', () => {
  it('are read with every suffix and rounded up', () => {
    const cases: [string | number, number][] = [
      [0, 0],
      [1e9, 1e9],
      [1.2, 2],
      ['0', 0],
      ['-0', 0],
      ['5000', 5_000],
      ['1k', 1_000],
      ['500M', 500_000_000],
      ['1Gi', 1_073_741_824],
      ['1.5Ki', 1_536],
      ['.5Mi', 524_288],
      ['1e3', 1_000],
      ['1E3', 1_000],
      ['1E', 1e18],
      ['2Ei', 2 * 1024 ** 6],
      ['1500m', 2],
      ['3000m', 3],
      ['1n', 1],
      ['-5', -5],
      ['-1500m', -2],
    ];
    for (const [given, expected] of cases) assert.equal(parseQuantity(given), expected, String(given));
  });

  it('are refused when they are none', () => {
    const texts = [
      '',
      'Mi',
      '1 Mi',
      '1mi',
      '1K',
      '1GB',
      '1e',
      '0x10',
      '1e3Mi',
      '1,000',
      'Infinity',
      '1e400',
      '8192Ei',
      '--1',
    ];
    for (const text of texts) assert.equal(parseQuantity(text), undefined, text);
    for (const number of [NaN, Infinity, -Infinity]) assert.equal(parseQuantity(number), undefined);
  });
});
