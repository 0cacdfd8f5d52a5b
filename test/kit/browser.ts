// SPDX-License-Identifier: Apache-2.0

/** A real browser for pages that people look at: Debian's chromium, in a profile of its own that is gone afterwards. */

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { chromium } from 'playwright-core';
import type { BrowserContext } from 'playwright-core';

const EXECUTABLE = process.env['FAIRLEAD_CHROMIUM'] ?? '/usr/bin/chromium';

/** Why there is no browser, for `skip`; false when there is one. */
export const noBrowser = existsSync(EXECUTABLE) ? false : `no browser at ${EXECUTABLE}: apt-get install chromium`;

export interface StartedBrowser {
  readonly context: BrowserContext;
  close(): Promise<void>;
}

export async function startBrowser(): Promise<StartedBrowser> {
  const profile = mkdtempSync(path.join(os.tmpdir(), 'fairlead-browser-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: EXECUTABLE,
    headless: true,
    viewport: { width: 1280, height: 900 },
    args: [
      ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
      ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
    ],
  });
  return {
    context,
    close: async () => {
      await context.close();
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
