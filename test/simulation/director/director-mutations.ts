// SPDX-License-Identifier: Apache-2.0

/** Bugs that the director could have: the simulation of it has to find every one of them. */

import { FlowController, type Permit } from '@fairlead/core';
import { Journey } from '../../../packages/fairlead/src/director/journey.ts';
import { Lanes } from '../../../packages/fairlead/src/director/lanes.ts';
import { TenantMemory } from '../../../packages/fairlead/src/tenancy/tenant-memory.ts';
import { method, nothing } from '../mutation.ts';
import type { Mutation } from '../mutation.ts';

export const DIRECTOR_MUTATIONS: readonly Mutation[] = [
  method('not notice that a client leaves', [Journey.prototype, 'cancel'], nothing),
  method(
    'forget a client that leaves while its answer comes',
    [Journey.prototype, 'cancel'],
    (was) =>
      function (this: Journey) {
        const report = {};
        this.tell(report as never);
        if (!('outcome' in report) || report.outcome === undefined) was.call(this);
      },
  ),
  method('forget a request whose try failed', [Journey.prototype, 'onError'], nothing),
  method('never end a request that was answered', [Journey.prototype, 'onEnd'], nothing),
  method('not notice the head of an answer', [Journey.prototype, 'onHeaders'], nothing),
  method(
    'send again what a server may have run',
    [Journey.prototype, 'onError'],
    (was) =>
      function (this: Journey, failure) {
        was.call(this, failure.kind === 'reset' ? { ...failure, kind: 'refused' } : failure);
      },
  ),
  method(
    'send again and again on fresh connections',
    [Journey.prototype, 'onError'],
    (was) =>
      function (this: Journey, failure) {
        was.call(this, failure.kind === 'timeout-first-byte' ? { ...failure, kind: 'reset-idle' } : failure);
      },
  ),
  method(
    'go on with what is being answered as if it were refused',
    [Journey.prototype, 'onError'],
    (was) =>
      function (this: Journey, failure) {
        if (failure.kind !== 'died') was.call(this, failure);
      },
  ),
  method(
    'lose a request that goes back to its queue',
    [FlowController.prototype, 'requeue'],
    () =>
      function (this: FlowController, permit: Permit) {
        permit.end('failed');
        return { cancel: () => undefined };
      },
  ),
  method(
    'lose the permit of a request that is moved',
    [FlowController.prototype, 'failOver'],
    (was) =>
      function (this: FlowController, permit) {
        return was.call(this, permit) === undefined ? undefined : permit;
      },
  ),
  method('keep the lanes as they were at a reload', [Lanes.prototype, 'prepare'], () => () => ({
    swap: () => undefined,
  })),
  method('let nobody through while protection is off', [Lanes.prototype, 'setBypass'], nothing),
  method('begin to count anew what tenants have in flight', [TenantMemory.prototype, 'caps'], () => () => new Map()),
  method(
    'let a request wait on whose client has left',
    [FlowController.prototype, 'enqueue'],
    (was) =>
      function (this: FlowController, request, onSettled) {
        was.call(this, request, onSettled);
        return { cancel: () => undefined };
      },
  ),
];
