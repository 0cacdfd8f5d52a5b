// SPDX-License-Identifier: Apache-2.0

/**
 * Which endpoints are up, from all that is known of it: what they answer to probes (`Health`), and what became of the
 * requests that they were sent (`Outliers`). Whoever sends requests or reads metrics tells it of both.
 */

import type { Clock, Endpoint, Random } from '@fairlead/core';
import type { OutlierDetectionConfig } from '../config/resolved.ts';
import type { FleetPort } from '../director/ports.ts';
import type { Gets } from './getter.ts';
import { Health } from './health.ts';
import { Outliers } from './outliers.ts';
import type { OutliersOptions } from './outliers.ts';
import type { Problems } from './problems.ts';

export interface EndpointWatchOptions extends Pick<OutliersOptions, 'poolOf'> {
  readonly config: OutlierDetectionConfig;
  readonly getter: Gets;
  readonly clock: Clock;
  readonly random: Random;
  readonly problems: Problems;
  /** `endpoint.up` changed. */
  readonly onChange: (endpoint: Endpoint) => void;
}

export class EndpointWatch {
  readonly #health: Health;
  readonly #outliers: Outliers;
  /** What the director tells. */
  readonly port: FleetPort['health'];

  constructor(options: EndpointWatchOptions) {
    const health = (this.#health = new Health({
      ...options,
      onChange: (endpoint) => {
        if (endpoint.up) this.#outliers.isBack(endpoint);
        options.onChange(endpoint);
      },
    }));
    const outliers = (this.#outliers = new Outliers({
      ...options,
      setAside: (endpoint, forMs, why) => health.setAside(endpoint, forMs, why),
    }));
    this.port = {
      refused: (endpoint, why) => {
        outliers.failed(endpoint, `connection refused: ${why}`);
        health.refused(endpoint, why);
      },
      // Whether it speaks HTTP at all the probe will tell that follows every such failure: one request may have been at fault.
      nonsense: (endpoint, why, tenant) => outliers.failed(endpoint, `no HTTP: ${why}`, tenant),
      failed: (endpoint, why, tenant) => outliers.failed(endpoint, why, tenant),
      answered: (endpoint, tenant) => outliers.answered(endpoint, tenant),
      firstByte: (endpoint, tookMs) => outliers.firstByte(endpoint, tookMs),
    };
  }

  /** Watches the endpoint from now on. */
  add(endpoint: Endpoint): void {
    this.#health.add(endpoint);
    this.#outliers.add(endpoint);
  }

  remove(endpoint: Endpoint): void {
    this.#health.remove(endpoint);
    this.#outliers.remove(endpoint);
  }

  /** Its metrics could not be asked for: no connection. */
  refused(endpoint: Endpoint, why: string): void {
    this.#health.refused(endpoint, why);
  }

  /** A request failed at it, however: it is probed now, unless it just was. */
  suspect(endpoint: Endpoint): void {
    this.#health.suspect(endpoint);
  }

  reconfigure(config: OutlierDetectionConfig): void {
    this.#outliers.reconfigure(config);
  }

  /** How often endpoints were set aside, by reason. */
  ejections(): ReturnType<Outliers['ejections']> {
    return this.#outliers.ejections();
  }

  stop(): void {
    this.#health.stop();
  }
}
