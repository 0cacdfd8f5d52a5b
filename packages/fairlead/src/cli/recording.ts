// SPDX-License-Identifier: Apache-2.0

/** The file of `--record`: opened before anything else is, written while requests end, whole when the command returns. */

import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import type { RequestReport } from '../director/request-report.ts';
import type { Log } from '../observability/log.ts';
import { Recorder } from '../observability/recorder.ts';
import { systemClock } from '../serve/system-clock.ts';

export interface Recording {
  finished(report: RequestReport): void;
  /** Resolves when all is on its way to the disk. */
  close(): Promise<void>;
}

/** Makes the file, for its owner alone. @throws {Error} a system error when that cannot be, or the file is there already. */
export async function openRecording(file: string, log: Log): Promise<Recording> {
  const stream = createWriteStream(file, { flags: 'wx', mode: 0o600 });
  await once(stream, 'open');
  const recorder = new Recorder(stream, () => systemClock.now(), new Date());
  let hasFailed = false;
  stream.on('error', (error) => {
    hasFailed = true;
    log.error('requests are no longer recorded', { file, error: error.message });
  });
  return {
    finished: (report) => {
      if (!hasFailed) recorder.finished(report);
    },
    async close() {
      if (recorder.leftOut > 0)
        log.warn('the disk was too slow to record every request', { leftOut: recorder.leftOut });
      if (hasFailed) return;
      stream.end();
      await once(stream, 'close');
    },
  };
}
