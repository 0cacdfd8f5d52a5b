// SPDX-License-Identifier: Apache-2.0

/** What a command that serves waits for. */

/** Resolves when the command is told to stop, or was. */
export function stopped(stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (stop.aborted) resolve();
    else stop.addEventListener('abort', () => resolve(), { once: true });
  });
}
