// SPDX-License-Identifier: Apache-2.0

/** Scraping real pages under a virtual clock: when, how often, and what is left when it fails. */

import assert from 'node:assert/strict';
import type { RequestListener } from 'node:http';
import { afterEach, describe, it } from 'node:test';
import { Endpoint } from '@fairlead/core';
import { VirtualClock } from '@fairlead/core/testing';
import { Loopback } from '../../../../test/kit/loopback.ts';
import { WatchedGetter } from '../../../../test/kit/watched-getter.ts';
import type { MetricsSourceConfig } from '../config/resolved.ts';
import { Problems } from './problems.ts';
import { metricsUrl, Scraper } from './scraper.ts';

const loopback = new Loopback();

afterEach(() => loopback.end());

const SOURCE: MetricsSourceConfig = {
  scheme: 'http',
  path: '/metrics',
  intervalMs: 500,
  engineLabelKey: 'llm-d.ai/engine-type',
};
const PAGE = 'vllm:num_requests_waiting 2\nvllm:num_requests_running 3\n';

function scraping(url: string, labels: Record<string, string> = {}) {
  const clock = new VirtualClock();
  const getter = new WatchedGetter(clock, loopback);
  const reads: Endpoint[] = [];
  const failures: string[] = [];
  const scraper = new Scraper({
    getter,
    clock,
    random: () => 0.5,
    source: SOURCE,
    problems: new Problems(),
    onRead: (endpoint) => void reads.push(endpoint),
    onFailed: (_endpoint, error) => void failures.push(error.kind),
  });
  loopback.atEnd(() => scraper.stop());
  const endpoint = new Endpoint({ name: 'a', url, labels });
  scraper.add(endpoint);
  const scraped = async (afterMs: number): Promise<void> => {
    clock.advance(afterMs);
    await getter.answer();
  };
  return { clock, getter, reads, failures, scraper, endpoint, scraped };
}

/** A server whose answers wait for the test. */
function held(): { listener: RequestListener; arrived(): Promise<() => void> } {
  const waiting: (() => void)[] = [];
  let onArrival: (() => void) | undefined;
  return {
    listener: (_request, response) => {
      waiting.push(() => void response.end(PAGE));
      onArrival?.();
    },
    async arrived() {
      while (waiting.length === 0) await new Promise<void>((resolve) => (onArrival = resolve));
      return waiting.shift()!;
    },
  };
}

const fine: RequestListener = (_request, response) => void response.end(PAGE);

describe('the scraper', () => {
  it('reads a page at once and then at the interval, and tells of each', async () => {
    const { clock, getter, reads, endpoint, scraped } = scraping(await loopback.http(fine));
    await scraped(0);
    assert.deepEqual(endpoint.metrics, {
      waiting: 2,
      running: 3,
      kvUsage: undefined,
      atMs: 0,
      dispatchedBefore: 0,
      finishedBefore: 0,
    });
    clock.advance(499);
    assert.equal(getter.asked.length, 1);
    await scraped(1);
    assert.equal(reads.length, 2);
  });

  it('looks for the names of the labelled engine, by the label of today and that of before', async () => {
    const both = `${PAGE}llamacpp:requests_deferred 8\nllamacpp:requests_processing 9\n`;
    const url = await loopback.http((_request, response) => void response.end(both));
    for (const label of ['llm-d.ai/engine-type', 'inference.networking.k8s.io/engine-type']) {
      const { endpoint, scraped } = scraping(url, { [label]: 'llama.cpp' });
      await scraped(0);
      assert.deepEqual([endpoint.metrics?.waiting, endpoint.metrics?.running], [8, 9]);
    }
  });

  it('recognises another engine behind the same address', async () => {
    let page = PAGE;
    const { endpoint, scraped } = scraping(await loopback.http((_request, response) => void response.end(page)));
    await scraped(0);
    page = 'sglang:num_queue_reqs 4\nsglang:num_running_reqs 5\n';
    await scraped(500);
    assert.equal(endpoint.scrapeFailures, 1);
    await scraped(1000);
    assert.deepEqual([endpoint.metrics?.waiting, endpoint.metrics?.running], [4, 5]);
  });

  it('takes for running what it sent, where the engine tells only what waits', async () => {
    const triton = 'nv_inference_pending_request_count{model="a"} 2\nnv_inference_exec_count{model="a"} 9999\n';
    const url = await loopback.http((_request, response) => void response.end(triton));
    const { endpoint, scraped } = scraping(url);
    endpoint.take(5);
    await scraped(0);
    assert.deepEqual([endpoint.metrics?.waiting, endpoint.metrics?.running], [2, 3]);
  });

  it('gives up a page without end, whatever it is made of, and keeps the last reading', async () => {
    const hostile = [
      Buffer.from(PAGE.repeat(1000)),
      Buffer.alloc(64 * 1024, 'a'),
      Buffer.from('vllm:x{a="\\'.repeat(5000)),
    ];
    for (const chunk of hostile) {
      let isHostile = false;
      let sentBytes = 0;
      const url = await loopback.http((_request, response) => {
        if (!isHostile) return void response.end(PAGE);
        const more = (): void => {
          while (!response.destroyed && response.write(chunk)) sentBytes += chunk.byteLength;
        };
        response.on('drain', more);
        return more();
      });
      const { endpoint, scraped } = scraping(url);
      await scraped(0);
      isHostile = true;
      await scraped(500);
      assert.deepEqual([endpoint.metrics?.waiting, endpoint.scrapeFailures], [2, 1]);
      assert.match(endpoint.problem ?? '', /larger than 16777216 bytes/);
      assert.ok(sentBytes < 64 * 1024 * 1024, `${sentBytes} bytes were sent`);
    }
  });

  it('counts what was dispatched while the page was under way as not in it', async () => {
    const server = held();
    const { clock, endpoint, getter } = scraping(await loopback.http(server.listener));
    endpoint.take(3);
    clock.advance(0);
    const answer = await server.arrived();
    endpoint.take(2);
    endpoint.release(1);
    answer();
    await getter.answer();
    assert.equal(endpoint.metrics?.dispatchedBefore, 3);
    assert.equal(endpoint.metrics?.finishedBefore, 1);
  });

  it('never asks twice at a time, and asks less often while pages come late', async () => {
    const server = held();
    const { clock, getter } = scraping(await loopback.http(server.listener));
    clock.advance(0);
    const answer = await server.arrived();
    clock.advance(600);
    assert.equal(getter.asked.length, 1);
    answer();
    await getter.answer();
    // Twice the interval, counted from when the late one had come.
    clock.advance(999);
    assert.equal(getter.asked.length, 1);
    clock.advance(1);
    (await server.arrived())();
    await getter.answer();
    clock.advance(500);
    assert.equal(getter.asked.length, 3, 'and at the interval again when they come in time');
  });

  it('gives up a page after a second, keeps the last reading and counts the failure', async () => {
    let isStuck = false;
    const { clock, reads, failures, endpoint, scraped, getter } = scraping(
      await loopback.http((request, response) => {
        if (!isStuck) fine(request, response);
        else response.write('vllm:num_requests_waiting 99\n');
      }),
    );
    await scraped(0);
    isStuck = true;
    clock.advance(500);
    await scraped(1000);
    assert.equal(getter.asked.length, 2);
    assert.equal(endpoint.scrapeFailures, 1);
    assert.equal(endpoint.metrics?.waiting, 2);
    assert.deepEqual(failures, ['timeout-first-byte']);
    assert.equal(reads.length, 1);
    isStuck = false;
    await scraped(1000);
    assert.equal(endpoint.scrapeFailures, 0);
  });

  it('leaves an endpoint without a metrics page unknown, without a word against it', async () => {
    const { failures, endpoint, scraped } = scraping(
      await loopback.http((_request, response) => void response.writeHead(404).end('no')),
    );
    await scraped(0);
    assert.equal(endpoint.scrapeFailures, 1);
    assert.equal(endpoint.metrics, undefined);
    assert.equal(endpoint.problem, undefined);
    assert.deepEqual(failures, []);
  });

  it('explains a page that makes no sense, until one does', async () => {
    let page = 'vllm:num_requests_running NaN\n';
    const { endpoint, scraped } = scraping(await loopback.http((_request, response) => void response.end(page)));
    await scraped(0);
    assert.equal(endpoint.problem, 'vllm:num_requests_running on its metrics page is "NaN", not a number from 0');
    page = PAGE;
    await scraped(1000);
    assert.equal(endpoint.problem, undefined);
  });

  it('cuts an endless page short', async () => {
    const { endpoint, scraped } = scraping(
      await loopback.http((_request, response) => {
        const more = (): void => {
          while (!response.destroyed && response.write('x'.repeat(65536)));
        };
        response.on('drain', more).on('error', () => undefined);
        more();
      }),
    );
    await scraped(0);
    assert.match(endpoint.problem ?? '', /larger than 16777216 bytes/);
  });

  it('tells of a refused connection, and asks nothing of an endpoint that is down', async () => {
    const { clock, getter, failures, endpoint, scraped } = scraping(await loopback.nobody());
    await scraped(0);
    assert.deepEqual(failures, ['refused']);
    endpoint.up = false;
    clock.advance(10_000);
    assert.equal(getter.asked.length, 1);
  });

  it('reads sooner when asked to, 20 times a second at most, and once more when one is under way', async () => {
    const server = held();
    const { clock, getter, scraper, endpoint } = scraping(await loopback.http(server.listener));
    clock.advance(0);
    scraper.scrapeSoon(endpoint);
    (await server.arrived())();
    await getter.answer();
    clock.advance(49);
    assert.equal(getter.asked.length, 1);
    clock.advance(1);
    (await server.arrived())();
    await getter.answer();
    clock.advance(100);
    scraper.scrapeSoon(endpoint);
    clock.advance(0);
    (await server.arrived())();
    await getter.answer();
    assert.equal(getter.asked.length, 3);
    scraper.remove(endpoint);
    scraper.scrapeSoon(endpoint);
    assert.equal(clock.pendingAlarms, 0);
  });
});

describe('the address of a metrics page', () => {
  it('is the endpoint’s own unless scheme or port say otherwise', () => {
    const at = (url: string, port?: number, scheme: 'http' | 'https' = 'http') => metricsUrl(url, { scheme, port });
    assert.equal(at('http://10.0.0.1:8000/prefix'), 'http://10.0.0.1:8000/prefix');
    assert.equal(at('https://engine.example'), 'https://engine.example');
    assert.equal(at('http://10.0.0.1:8000/prefix', 9090), 'http://10.0.0.1:9090');
    assert.equal(at('http://[::1]:8000', 9090, 'https'), 'https://[::1]:9090');
    assert.equal(at('http://10.0.0.1:8000', undefined, 'https'), 'https://10.0.0.1:8000');
  });
});
