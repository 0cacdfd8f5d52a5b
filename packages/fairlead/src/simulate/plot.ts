// SPDX-License-Identifier: Apache-2.0

/** Lines over time as SVG text: drawn here, so that a page of them needs no script and nothing from elsewhere. */

/** One line. */
export interface PlotLine {
  readonly name: string;
  /** A colour as CSS has it. */
  readonly colour: string;
  /** One for each time; null where there is none. */
  readonly values: readonly (number | null)[];
  readonly dashed?: boolean;
}

export interface Plot {
  readonly title: string;
  /** What the numbers on the left are. */
  readonly unit: string;
  /** Seconds. */
  readonly times: readonly number[];
  readonly lines: readonly PlotLine[];
  /** What the top has to hold at least; plots that are to be compared have the same. */
  readonly top?: number | undefined;
}

const WIDTH = 640;
const HEIGHT = 240;
const LEFT = 64;
const RIGHT = 24;
const TOP = 12;
const BOTTOM = 30;
/** Marks on an axis at most. */
const MARKS = 6;

/** The largest value of all lines; 0 without any. */
export function topOf(lines: readonly PlotLine[]): number {
  return lines.reduce((top, { values }) => values.reduce<number>((most, value) => Math.max(most, value ?? 0), top), 0);
}

/** A figure with its title. */
export function plotted(plot: Plot): string {
  const { title, unit, times, lines } = plot;
  const step = markStep(Math.max(plot.top ?? 0, topOf(lines)) || 1);
  const top = Math.max(1, Math.ceil((Math.max(plot.top ?? 0, topOf(lines)) || 1) / step)) * step;
  const [first = 0, last = first + 1] = [times[0], times.at(-1)];
  const x = (seconds: number): number =>
    LEFT + ((WIDTH - LEFT - RIGHT) * (seconds - first)) / Math.max(1e-9, last - first);
  const y = (value: number): number => HEIGHT - BOTTOM - ((HEIGHT - TOP - BOTTOM) * value) / top;
  return [
    `<figure><figcaption>${escaped(title)} <small>${escaped(unit)}</small></figcaption>`,
    `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(title)}">`,
    ...marks(top, step).map((mark) => leftMark(mark, y(mark))),
    ...marks(last, timeStep(last - first))
      .filter((mark) => mark >= first)
      .map((mark) => bottomMark(mark, x(mark))),
    ...lines.map((line) => drawn(line, { times, x, y })),
    '</svg></figure>',
  ].join('\n');
}

/** The step of a round number of marks: 1, 2 or 5 times a power of ten. */
function markStep(range: number): number {
  const least = range / MARKS;
  const power = 10 ** Math.floor(Math.log10(least));
  return power * ([1, 2, 5].find((factor) => factor * power >= least * (1 - 1e-9)) ?? 10);
}

/** As people cut time. */
const TIME_STEPS_S = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400];

function timeStep(seconds: number): number {
  const least = seconds / MARKS;
  return TIME_STEPS_S.find((step) => step >= least) ?? markStep(seconds);
}

function marks(top: number, step: number): number[] {
  return Array.from({ length: Math.floor(top / step + 1e-9) + 1 }, (_, index) => index * step);
}

function leftMark(value: number, y: number): string {
  const line = `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${round(y)}" y2="${round(y)}"/>`;
  return `${line}<text x="${LEFT - 6}" y="${round(y + 4)}" text-anchor="end">${shortNumber(value)}</text>`;
}

function bottomMark(seconds: number, x: number): string {
  const line = `<line class="grid" x1="${round(x)}" x2="${round(x)}" y1="${TOP}" y2="${HEIGHT - BOTTOM}"/>`;
  return `${line}<text x="${round(x)}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${timeText(seconds)}</text>`;
}

interface Scales {
  readonly times: readonly number[];
  x(seconds: number): number;
  y(value: number): number;
}

/** A line is broken where it has no value, and a value between two breaks is a dot. */
function drawn({ name, colour, values, dashed }: PlotLine, { times, x, y }: Scales): string {
  let path = '';
  let isDown = false;
  values.forEach((value, index) => {
    if (value === null) isDown = false;
    else {
      const point = `${round(x(times[index]!))} ${round(y(value))}`;
      const isAlone = !isDown && (values[index + 1] ?? null) === null;
      path += `${isDown ? 'L' : 'M'}${point}${isAlone ? 'h0.01' : ''}`;
      isDown = true;
    }
  });
  const dash = dashed === true ? ' stroke-dasharray="5 4"' : '';
  return `<path d="${path}" stroke="${escaped(colour)}"${dash}><title>${escaped(name)}</title></path>`;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

/** `1.5k`, `20M`, `0.25`. */
function shortNumber(value: number): string {
  for (const [unit, letter] of [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ] as const) {
    if (value >= unit) return `${Number((value / unit).toPrecision(4))}${letter}`;
  }
  return String(Number(value.toPrecision(4)));
}

function timeText(seconds: number): string {
  if (seconds >= 3600) return `${Number((seconds / 3600).toFixed(2))} h`;
  return seconds >= 60 ? `${Number((seconds / 60).toFixed(2))} min` : `${Number(seconds.toPrecision(4))} s`;
}

/** Text as it may stand in HTML, in attributes too: names come from files of whoever. */
export function escaped(text: string): string {
  const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return text.replaceAll(/[&<>"]/g, (letter) => entities[letter]!);
}
