// SPDX-License-Identifier: Apache-2.0

/**
 * Where and how metrics pages are read, as configured: who reads them, over which connections, with whose keys. Another
 * configuration means another one of these.
 */

import type { Endpoint } from '@fairlead/core';
import type { MetricsSourceConfig } from '../config/resolved.ts';
import { Getter } from './getter.ts';
import { metricsUrl, Scraper } from './scraper.ts';
import type { ScraperOptions } from './scraper.ts';
import type { UpstreamTls } from './tls-files.ts';
import { Upstream } from './upstream.ts';

export interface ScrapingOptions extends Omit<ScraperOptions, 'getter' | 'source'> {
  /** Undefined: nothing is read. */
  readonly source: MetricsSourceConfig | undefined;
  /** The connections that requests use; metrics over http share them. */
  readonly upstream: Upstream;
  readonly connectTimeoutMs: number;
  /** Of the source, when it says. */
  readonly tls: UpstreamTls | undefined;
}

/** What those who read an endpoint's metrics have to know. */
export interface Introduction {
  /** The endpoint's. */
  readonly url: string;
  readonly tls: UpstreamTls | undefined;
  /** For `Authorization`. */
  readonly key: string | undefined;
}

export class Scraping {
  readonly #source: MetricsSourceConfig | undefined;
  /** For metrics over https, whose certificates need not be those of the endpoints. */
  readonly #own: Upstream | undefined;
  readonly #upstream: Upstream;
  readonly #scraper: Scraper | undefined;

  constructor({ source, upstream, connectTimeoutMs, tls, ...parts }: ScrapingOptions) {
    this.#source = source;
    if (source?.scheme === 'https') this.#own = new Upstream({ connectTimeoutMs, ...(tls && { tls }) });
    this.#upstream = this.#own ?? upstream;
    this.#scraper = source && new Scraper({ ...parts, getter: new Getter(this.#upstream, parts.clock), source });
  }

  /** Hands the endpoint's key and certificates to who speaks to it. */
  introduce({ url, tls, key }: Introduction): void {
    const own = this.#urlOf(url);
    if (tls !== undefined) this.#upstream.setTls(own, tls);
    // A metrics page may come from whoever answers, by default: nobody unknown is shown a key.
    const isKnown = tls !== undefined || this.#source?.tls?.insecureSkipVerify !== true;
    if (key !== undefined && (isKnown || this.#own === undefined)) this.#upstream.setAuthorization(own, key);
  }

  add(endpoint: Endpoint): void {
    this.#scraper?.add(endpoint);
  }

  remove(endpoint: Endpoint): void {
    this.#scraper?.remove(endpoint);
    const own = this.#urlOf(endpoint.url);
    // What requests use is not ours to forget.
    if (this.#own !== undefined || own !== endpoint.url) this.#upstream.forget(own);
  }

  scrapeSoon(endpoint: Endpoint): void {
    this.#scraper?.scrapeSoon(endpoint);
  }

  setConnectTimeout(connectTimeoutMs: number): void {
    this.#own?.setConnectTimeout(connectTimeoutMs);
  }

  /** Reads nothing more. Idempotent. */
  async stop(): Promise<void> {
    this.#scraper?.stop();
    await this.#own?.destroy();
  }

  #urlOf(url: string): string {
    return this.#source === undefined ? url : metricsUrl(url, this.#source);
  }
}
