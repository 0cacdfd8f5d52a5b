// SPDX-License-Identifier: Apache-2.0

/** What is shared is tokens, through the whole of `fairlead serve`, over real sockets and with the official client. */

import assert from 'node:assert/strict';
import { afterEach, before, after, describe, it } from 'node:test';
import { startModelServer } from '../../packages/fairlead/src/model-server/model-server.ts';
import type { ModelServer } from '../../packages/fairlead/src/model-server/model-server.ts';
import { hashKey } from '../../packages/fairlead/src/tenancy/hash-key.ts';
import { Loopback } from '../kit/loopback.ts';
import { serveText } from '../kit/served.ts';
import { SharedPlace } from '../kit/shared-place.ts';

/** Everybody takes turns at one place. */
function configOf(server: ModelServer, tenants: string): string {
  return `
endpoints: [{url: ${server.url}, models: [m]}]
plugins:
  - {type: concurrency-detector, parameters: {maxConcurrency: 1}}
flowControl:
  saturationDetector: {pluginRef: concurrency-detector}
identity:
  keys: [${tenants}]
`;
}

const key = (name: string, more = '') => `{sha256: ${hashKey(name)}, tenant: ${name}${more}}`;

describe('tenants who share a place', () => {
  const loopback = new Loopback();
  const place = new SharedPlace();
  let server: ModelServer;

  before(async () => {
    server = await startModelServer({ prefillMs: 0, tokenMs: 0.2, maxNumSeqs: 1, models: ['m'] });
  });

  afterEach(() => loopback.end());
  after(() => server.destroy());

  it('get tokens by their weights by default, however long their answers are, and how far from it is told', async () => {
    const text = configOf(server, [key('brief'), key('wordy'), key('double', ', weight: 2')].join(', '));
    const served = await serveText(text, loopback, place);
    const shares = await place.share(served, [
      { apiKey: 'brief', maxTokens: 4 },
      { apiKey: 'wordy', maxTokens: 60 },
      { apiKey: 'double', maxTokens: 20 },
    ]);
    for (const [name, share] of [
      ['brief', 0.25],
      ['wordy', 0.25],
      ['double', 0.5],
    ] as const) {
      assert.ok(Math.abs(shares.get(name)! / share - 1) < 0.3, `${name} got ${shares.get(name)}`);
    }
    const { bands } = (await served.state()).pools[0]!;
    assert.equal(bands[0]!.fairness, 'virtual-token-counter-fairness-policy');
    assert.ok(bands[0]!.lagTokens > 0 && bands[0]!.lagTokens <= bands[0]!.lagBoundTokens!);
  });
});
