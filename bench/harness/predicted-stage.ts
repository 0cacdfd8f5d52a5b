// SPDX-License-Identifier: Apache-2.0

/** What a prediction is held against: servers for real, and what a scenario says of them. */

import { stopChildren } from '../../packages/fairlead/src/demo/fleet/child.ts';
import * as fleet from '../../packages/fairlead/src/demo/fleet/model-servers.ts';
import { randomFor } from '../../packages/fairlead/src/demo/load/draw.ts';
import { rest } from '../../packages/fairlead/src/demo/rest.ts';
import { fitFleet } from '../../packages/fairlead/src/simulate/fit/fit-fleet.ts';
import { fleetSection } from '../../packages/fairlead/src/simulate/fit/fleet-text.ts';
import { Prober } from '../../packages/fairlead/src/simulate/fit/prober.ts';
import { startLlama } from '../../test/kit/llama-server.ts';
import { Loopback } from '../../test/kit/loopback.ts';
import { cpuSeconds } from '../stand/process-figures.ts';
import { ForeignLoad, ownSeconds, setApart, together } from '../stand/processors.ts';
import type { BenchmarkContext } from './benchmark.ts';

const SERVERS = 3;
const LLAMA_SLOTS = 4;
const LLAMA_MODEL = 'random';

export interface Stage {
  readonly name: string;
  readonly urls: readonly string[];
  readonly model: string;
  readonly slots: number;
  /** The section of a scenario. */
  readonly fleet: Readonly<Record<string, number | string | boolean>>;
  /** What others take from now on of the processors that its pace depends on; the gateway is none of these others. */
  others(gatewayPid: number): ForeignLoad;
  /** Processors that others took while it was fitted; NaN when that is not known. */
  readonly foreignBefore: number;
  /** When others take so much more or less of them, it is not the stage that it was. */
  readonly mostChange: number;
  stop(): Promise<void>;
}

/** Model servers whose pace is known, for they were told. */
export async function modelServers(seed: number): Promise<Stage> {
  const servers = await fleet.startModelServers(SERVERS, seed);
  const children = servers.map((server) => server.process);
  const pids = children.map(({ pid }) => pid);
  return {
    name: 'model-servers',
    urls: servers.map(({ url }) => url),
    model: fleet.DEMO_MODEL,
    slots: fleet.SERVER_SLOTS,
    fleet: {
      ...{ servers: SERVERS, slots: fleet.SERVER_SLOTS },
      ...{ prefill: `${fleet.FIRST_TOKEN_MS}ms`, token: `${fleet.TOKEN_MS}ms` },
    },
    others: (gatewayPid) => new ForeignLoad(undefined, () => ownSeconds([...pids, gatewayPid])),
    foreignBefore: 0,
    // They wait more than they work.
    mostChange: 0.5,
    stop: () => stopChildren(children),
  };
}

/** One real engine, asked for what it is like before anybody else asks it, on a processor of its own where there is one. */
export async function llamaServer({ say, stop }: Pick<BenchmarkContext, 'say' | 'stop'>, seed: number): Promise<Stage> {
  const loopback = new Loopback();
  try {
    const llama = await startLlama(loopback, LLAMA_SLOTS);
    const { url, slots, pid = 0 } = llama;
    const processor = setApart(pid);
    loopback.atEnd(() => together(processor));
    while ((await fetch(`${url}/health`).catch(() => undefined))?.status !== 200) await rest(100, stop);
    const others = (...gateway: readonly number[]): ForeignLoad =>
      new ForeignLoad(processor, () => (processor === undefined ? ownSeconds([pid, ...gateway]) : cpuSeconds(pid)));
    let othersBefore = others();
    // In its last step it has no pause: as when it serves.
    const onStep = (): void => void (othersBefore = others());
    const random = randomFor(seed);
    const prober = new Prober({ baseUrl: url, model: LLAMA_MODEL }, random, stop);
    const fitted = await fitFleet({ prober, random, onStep }).finally(() => prober.close());
    const section = fleetSection(fitted);
    const foreignBefore = othersBefore.processors;
    say(`llama.cpp, as it was fitted: ${JSON.stringify(section)}`);
    return {
      name: 'llama.cpp',
      urls: [url],
      model: LLAMA_MODEL,
      slots,
      fleet: section,
      others,
      foreignBefore,
      mostChange: 0.15,
      stop: () => loopback.end(),
    };
  } catch (error) {
    await loopback.end();
    throw error;
  }
}
