// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Endpoint } from '../endpoints/endpoint.ts';
import { ROLE_LABEL } from '../endpoints/roles.ts';
import { concurrencyDetector } from '../plugins/saturation/concurrency-detector.ts';
import { FlowControlKit } from '../testing/flow-control-kit.ts';
import { instanceOf } from '../testing/plugin-instance.ts';
import { Stages } from './stages.ts';

const detector = instanceOf(concurrencyDetector, { parameters: { maxConcurrency: 10 } });

/** What stages of servers come to, each written as `role:sequences in flight`; no role for an unlabelled server. */
function saturations(...servers: string[]) {
  const tracked = servers.map((server) => {
    const [role = '', inFlight = ''] = server.split(':');
    const endpoint = new Endpoint({
      name: server,
      url: 'http://e.test',
      labels: role === '' ? {} : { [ROLE_LABEL]: role },
    });
    endpoint.take(Number(inFlight));
    return { endpoint, state: undefined };
  });
  const stages = new Stages(tracked);
  const measure = detector.saturation.bind(detector) as Parameters<Stages['each']>[0];
  return { ...stages.each(measure), effective: stages.effective({ saturation: measure }, 0) };
}

describe('A pool of stages', () => {
  it('is as full as the fuller of its stages: idle prefill servers do not make up for full decode servers', () => {
    assert.deepEqual(saturations('prefill:0', 'prefill:0', 'decode:10'), { prefill: 0, decode: 1, effective: 1 });
    assert.deepEqual(saturations('encode-prefill:9', ':1'), { prefill: 0.9, decode: 0.1, effective: 0.9 });
  });

  it('has servers that do both in both stages', () => {
    const two = saturations('decode:10', 'prefill-decode:0');
    assert.deepEqual(two, { prefill: 0, decode: 0.5, effective: 0.5 });
    assert.deepEqual(saturations('both:2', 'encode-prefill-decode:4'), { prefill: 0.3, decode: 0.3, effective: 0.3 });
  });

  it('takes servers without the label for decode servers, and no notice of encoders and roles it does not know', () => {
    assert.deepEqual(saturations(':4', 'encode:10', 'cook:10'), { prefill: undefined, decode: 0.4, effective: 0.4 });
  });

  it('is measured as a whole when no server is in any stage', () => {
    assert.deepEqual(saturations('encode:5', 'cook:10'), { prefill: undefined, decode: undefined, effective: 0.75 });
  });

  it('gates as soon as one stage is full, by the roles that the endpoints have now', () => {
    const kit = new FlowControlKit({ endpoints: 2, limit: 2 });
    const [first, second] = kit.endpoints;
    assert.ok(first && second);
    first.labels = { [ROLE_LABEL]: 'prefill' };
    kit.pool.refresh();
    second.take(2);
    kit.enqueue();
    kit.settle();
    assert.deepEqual(kit.permits, []);
    assert.deepEqual(kit.controller.snapshot().stages, { prefill: 0, decode: 1 });
    assert.equal(kit.controller.snapshot().gate?.saturation, 1);
    first.labels = {};
    kit.pool.refresh();
    kit.settle();
    assert.equal(first.inFlight, 1);
    assert.deepEqual(kit.controller.snapshot().stages, { prefill: undefined, decode: 0.75 });
  });
});
