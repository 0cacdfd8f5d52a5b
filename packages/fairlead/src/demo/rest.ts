// SPDX-License-Identifier: Apache-2.0

/**
 * Waiting that can be cut short, and leaves no timer behind when it is.
 */

/** Resolves after `forMs`, or as soon as one of `until` resolves or the signal is aborted. */
export async function rest(forMs: number, stop: AbortSignal, ...until: readonly Promise<unknown>[]): Promise<void> {
  if (stop.aborted || forMs <= 0) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      stop.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, forMs);
    stop.addEventListener('abort', done, { once: true });
    for (const promise of until) void promise.then(done);
  });
}
