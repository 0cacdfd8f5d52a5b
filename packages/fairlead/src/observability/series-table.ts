// SPDX-License-Identifier: Apache-2.0

/**
 * Finds the series an event counts into. While requests flow that is one map lookup by fairness id and a list that is
 * almost always of length one; labels are made when a combination of names is first seen, never again.
 *
 * Series are shared by label: names that become the same label, and tenants beyond the budget (label `other`), count into
 * one. A series goes when the last flow that counts into it is forgotten, and gives its room back.
 */

import { OUTCOMES } from '@fairlead/core';
import type { InferenceRequest } from '@fairlead/core';
import { FlowSeries, FLOW_LINES } from './flow-series.ts';
import { labelValue, OTHER_LABEL } from './label.ts';
import { RequestSeries, REQUEST_LINES } from './request-series.ts';
import type { SeriesBudget } from './series-budget.ts';
import type { Labels } from './tally.ts';

/** Models and priorities that may have a series called `other` of their own; the rest share one. */
const MAX_OTHERS = 32;
/** Combinations remembered per pool at most; those beyond are looked up by label each time. */
const MAX_ENTRIES = 100_000;
/** A combination that held nothing for so long is dropped, should nobody say that its flow is forgotten. */
const IDLE_MS = 15 * 60_000;

/** One combination of names as events carry it, and the series it counts into. */
interface Entry {
  readonly priority: number;
  readonly model: string;
  readonly targetModel: string;
  readonly band: number;
  readonly series: FlowSeries;
  next: Entry | undefined;
  lastMs: number;
}

/** Request series over all pools: they carry no pool label, so pools share them. */
export class RequestTable {
  readonly budget: SeriesBudget;
  readonly series = new Map<string, RequestSeries>();

  constructor(budget: SeriesBudget) {
    this.budget = budget;
  }

  /** The series of these labels, made when there is none. */
  get(labels: Labels, other: (() => RequestSeries) | undefined): RequestSeries {
    const key = keyOf(labels);
    const known = this.series.get(key);
    if (known !== undefined) return known;
    const made = new RequestSeries(labels, this.budget, other);
    this.series.set(key, made);
    return made;
  }

  has(labels: Labels): boolean {
    return this.series.has(keyOf(labels));
  }

  drop(series: RequestSeries): void {
    this.series.delete(keyOf(series.labels));
    series.release();
  }
}

/** The series of one pool. */
export class PoolSeries {
  readonly name: string;
  /** Requests that went back to their queue: their next dispatch is not a second ending of a wait. */
  readonly requeued = new WeakSet<InferenceRequest>();
  requeuedTotal = 0;
  priorityUnknown = 0;
  usageClamped = 0;
  readonly flows = new Map<string, FlowSeries>();
  /** By priority label, then by `OUTCOMES`. */
  readonly endings = new Map<string, Float64Array>();
  readonly #requests: RequestTable;
  readonly #entries = new Map<string, Entry>();
  #entryCount = 0;
  #others = 0;

  /** `name` is a label already. */
  constructor(name: string, requests: RequestTable) {
    this.name = name;
    this.#requests = requests;
  }

  /** The series an event of this request counts into. */
  find(request: InferenceRequest, band: number, atMs: number): FlowSeries {
    const first = this.#entries.get(request.fairnessId);
    let entry = first;
    while (entry !== undefined && !matches(entry, request)) entry = entry.next;
    if (entry !== undefined) {
      entry.lastMs = atMs;
      return entry.series;
    }
    if (this.#entryCount >= MAX_ENTRIES) return this.#otherFor(requestLabels(request), String(band));
    const series = this.#seriesFor(requestLabels(request), String(band));
    const { priority, model, targetModel } = request;
    this.#entries.set(request.fairnessId, { priority, model, targetModel, band, series, next: first, lastMs: atMs });
    this.#entryCount += 1;
    series.references += 1;
    return series;
  }

  /** The series when there is one already. */
  known(names: { tenant: string; priority: number; model: string; targetModel: string }): FlowSeries | undefined {
    let entry = this.#entries.get(names.tenant);
    while (entry !== undefined && !matches(entry, names)) entry = entry.next;
    return entry?.series;
  }

  /** Drops what was counted for a flow. */
  forget(fairnessId: string, band: number): void {
    this.#keep(fairnessId, (entry) => entry.band !== band);
  }

  /** Drops what has long held nothing. */
  sweep(nowMs: number): void {
    for (const fairnessId of this.#entries.keys()) {
      this.#keep(
        fairnessId,
        ({ lastMs, series }) => nowMs - lastMs < IDLE_MS || series.waiting > 0 || series.request.running > 0,
      );
    }
  }

  #keep(fairnessId: string, stays: (entry: Entry) => boolean): void {
    let kept: Entry | undefined;
    for (let entry = this.#entries.get(fairnessId); entry !== undefined;) {
      const { next } = entry;
      if (stays(entry)) {
        entry.next = kept;
        kept = entry;
      } else {
        this.#entryCount -= 1;
        this.#drop(entry.series);
      }
      entry = next;
    }
    if (kept === undefined) this.#entries.delete(fairnessId);
    else this.#entries.set(fairnessId, kept);
  }

  #drop(series: FlowSeries): void {
    series.references -= 1;
    if (series.references > 0 || series.isOther) return;
    this.flows.delete(series.key);
    series.release();
    series.request.references -= 1;
    if (series.request.references === 0) this.#requests.drop(series.request);
    if (series.served !== undefined) this.#drop(series.served);
  }

  #seriesFor(labels: Labels, band: string): FlowSeries {
    const known = this.flows.get(keyOf(labels));
    if (known !== undefined) return known;
    // A tenant that is really called so shares, too: the series must not fall back to itself.
    if (labels.fairness_id === OTHER_LABEL) return this.#otherFor(labels, band);
    const other = (): FlowSeries => this.#otherFor(labels, band);
    const lines = FLOW_LINES + (this.#requests.has(labels) ? 0 : REQUEST_LINES);
    return this.#requests.budget.takePlain(lines) ? this.#make(labels, band, other) : other();
  }

  /** Shared by the tenants without room: one per model and priority, and one for what is beyond those. */
  #otherFor(labels: Labels, band: string): FlowSeries {
    const own = { ...labels, fairness_id: OTHER_LABEL };
    const known = this.flows.get(keyOf(own));
    if (known !== undefined) return known;
    if (this.#others < MAX_OTHERS) {
      this.#others += 1;
      return this.#make(own, band, undefined);
    }
    const last = {
      model_name: OTHER_LABEL,
      target_model_name: OTHER_LABEL,
      fairness_id: OTHER_LABEL,
      priority: OTHER_LABEL,
    };
    return this.flows.get(keyOf(last)) ?? this.#make(last, OTHER_LABEL, undefined);
  }

  /** `band` is the label of the band that serves it: what waits there is counted as waiting there. */
  #make(labels: Labels, band: string, other: (() => FlowSeries) | undefined): FlowSeries {
    const request = this.#requests.get(labels, other && (() => other().request));
    request.references += 1;
    const isServedElsewhere = labels.priority !== band;
    const served = isServedElsewhere ? this.#seriesFor({ ...labels, priority: band }, band) : undefined;
    if (served !== undefined) served.references += 1;
    const series = new FlowSeries(
      { key: keyOf(labels), labels: { ...labels, inference_pool: this.name } },
      {
        request,
        endings: this.#endingsOf(labels.priority ?? OTHER_LABEL),
        budget: this.#requests.budget,
        other,
        served,
      },
    );
    this.flows.set(series.key, series);
    return series;
  }

  #endingsOf(priority: string): Float64Array {
    const label = this.endings.has(priority) || this.endings.size < MAX_OTHERS ? priority : OTHER_LABEL;
    let endings = this.endings.get(label);
    if (endings === undefined) this.endings.set(label, (endings = new Float64Array(OUTCOMES.length)));
    return endings;
  }
}

function matches(entry: Entry, names: { priority: number; model: string; targetModel: string }): boolean {
  return entry.priority === names.priority && entry.model === names.model && entry.targetModel === names.targetModel;
}

function requestLabels(request: InferenceRequest): Labels {
  return {
    model_name: labelValue(request.model),
    target_model_name: labelValue(request.targetModel),
    fairness_id: labelValue(request.fairnessId),
    priority: String(request.priority),
  };
}

function keyOf(labels: Labels): string {
  return JSON.stringify([labels.model_name, labels.target_model_name, labels.fairness_id, labels.priority]);
}
