// SPDX-License-Identifier: Apache-2.0
//
// First in a process that `npm run` starts (`node --require`). npm passes SIGTERM on to the shell between, and that one
// dies of it without telling anybody: a gateway would serve on, unseen, with its ports taken. So whoever loses that shell
// is told to end, as by the signal itself.
'use strict';

const { isMainThread } = require('node:worker_threads');

const intervalMs = 250;

if (isMainThread && process.env.npm_lifecycle_event !== undefined) {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    process.kill(process.pid, 'SIGTERM');
  }, intervalMs);
  timer.unref();
}
