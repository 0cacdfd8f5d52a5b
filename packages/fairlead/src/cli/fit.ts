// SPDX-License-Identifier: Apache-2.0

/** `fairlead simulate --fit URL`: asks a model server for a minute, and prints it as the fleet of a scenario. */

import { request } from 'undici';
import { randomFor } from '../demo/load/draw.ts';
import { fitFleet } from '../simulate/fit/fit-fleet.ts';
import { fleetSection, fleetText } from '../simulate/fit/fleet-text.ts';
import { ProbeError, Prober } from '../simulate/fit/prober.ts';
import { UsageError } from './command.ts';
import type { CommandInput } from './command.ts';

const MODELS_TIMEOUT_MS = 10_000;

export interface FitFlags {
  readonly url: string;
  readonly json: boolean;
  readonly seed: number;
}

/** Exit code 0; 1 when the server does not answer as a model server does. */
export async function fit({ url, json, seed }: FitFlags, { stdout, stderr, stop }: CommandInput): Promise<number> {
  const random = randomFor(seed);
  let prober: Prober | undefined;
  try {
    const model = await modelOf(url);
    prober = new Prober({ baseUrl: url, model }, random, stop);
    const fleet = await fitFleet({ prober, random, onStep: (what) => stderr.write(`asking ${model}: ${what}\n`) });
    stdout.write(json ? `${JSON.stringify({ fleet: fleetSection(fleet) })}\n` : fleetText(fleet, { url, model }));
    return 0;
  } catch (error) {
    if (!(error instanceof ProbeError)) throw error;
    stderr.write(`fairlead simulate: --fit ${url}: ${error.message}\n`);
    return 1;
  } finally {
    await prober?.close();
  }
}

/** Reads a server's address. @throws {UsageError} */
export function parseServer(text: string): string {
  const url = URL.parse(text);
  if (
    url === null ||
    !/^https?:$/.test(url.protocol) ||
    url.username !== '' ||
    url.search !== '' ||
    url.pathname !== '/'
  )
    throw new UsageError('allowed is a URL such as http://10.0.0.1:8000');
  return url.origin;
}

/** The first that it serves. */
async function modelOf(url: string): Promise<string> {
  try {
    const signal = AbortSignal.timeout(MODELS_TIMEOUT_MS);
    const { statusCode, body } = await request(`${url}/v1/models`, { signal });
    const list = (await body.json()) as { readonly data?: readonly ({ readonly id?: unknown } | null)[] } | null;
    const id = list?.data?.[0]?.id;
    if (statusCode === 200 && typeof id === 'string') return id;
    throw new ProbeError(`its /v1/models names no model (status ${statusCode})`);
  } catch (error) {
    if (error instanceof ProbeError) throw error;
    throw new ProbeError(`its /v1/models cannot be read (${(error as Error).message})`);
  }
}
