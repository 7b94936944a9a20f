/**
 * Takes secret values out of what a processor says, whole or as it comes in chunks. A value is found as it is and in the forms
 * that programs print without being asked: escaped as in JSON and `util.inspect`, URL-encoded, in hex, in base64 at any
 * alignment, and two of the first over each other. Pure; what is kept of a stream is bounded by the longest value.
 * docs/secrets.md says what is not found.
 */
import { Automaton } from './automaton.ts';
import { type CodeView, decodedViews, identityView } from './scrub-views.ts';

/** Shorter values are too likely to be part of ordinary words: they are not looked for. */
export const MIN_SECRET_CHARACTERS = 4;
/** Lines and JSON fields of a value are looked for by themselves from this length on. */
const MIN_PART_CHARACTERS = 8;
/** Bytes of text that one byte of a value may take in the longest form: hex digits and a colon, `%2536%2531%253a`, with each byte URL-encoded. */
const LONGEST_FORM = 28;
const SLACK = 32;

/** Text of one form to look for; base64 shares its first and last character with what stands beside it. */
interface Needle {
  readonly name: string;
  readonly text: string;
  readonly sharesBefore: boolean;
  readonly sharesAfter: boolean;
}

/** Needles, and what finds all of them in one pass. */
interface NeedleSet {
  readonly needles: readonly Needle[];
  readonly automaton: Automaton;
}

/** Needles by the view that they are looked for in. Texts are bytes as Latin-1, so that any log is one. */
interface Needles {
  readonly plain: NeedleSet;
  /** Form encoding writes a space as `+`: with every `+` as a space. */
  readonly spaced: NeedleSet;
  readonly hex: NeedleSet;
  readonly base64: NeedleSet;
  readonly spacedBase64: NeedleSet;
  readonly longest: number;
}

const setOf = (needles: readonly Needle[]): NeedleSet => ({
  needles,
  automaton: new Automaton(needles.map(({ text }) => text)),
});

/** `[from, to)` of the source, and whose value it is. */
interface Span {
  readonly from: number;
  readonly to: number;
  readonly name: string;
}

function fieldsOf(json: unknown): string[] {
  if (typeof json === 'string') return [json];
  return typeof json === 'object' && json !== null ? Object.values(json).flatMap(fieldsOf) : [];
}

function parsedFields(value: string): string[] {
  if (!/^\s*[[{]/.test(value)) return [];
  try {
    return fieldsOf(JSON.parse(value));
  } catch {
    // Not JSON after all: it has no fields.
    return [];
  }
}

/** A value and what a processor makes of it first: without its line feed, its lines, its fields when it is JSON. */
function partsOf(value: string): string[] {
  const parts = [...value.split(/\r?\n/), ...parsedFields(value)].filter((part) => part.length >= MIN_PART_CHARACTERS);
  return [...new Set([value, value.trim(), ...parts])].filter((part) => part.length >= MIN_SECRET_CHARACTERS);
}

/** Characters of base64 that depend on the value alone, with `offset` bytes of something else before it. */
function base64Needle(name: string, bytes: Buffer, offset: number): Needle {
  const bits = (offset + bytes.byteLength) * 8;
  const encoded = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64');
  const text = encoded.slice(Math.ceil((offset * 8) / 6), Math.floor(bits / 6));
  return { name, text, sharesBefore: offset > 0, sharesAfter: bits % 6 > 0 };
}

function needlesOf(secrets: Readonly<Record<string, string>>): Needles {
  const parts = Object.entries(secrets).flatMap(([name, value]) =>
    partsOf(value).map((part) => ({ name, bytes: Buffer.from(part, 'utf8') })),
  );
  const whole = (name: string, text: string): Needle => ({ name, text, sharesBefore: false, sharesAfter: false });
  const spaced = (needle: Needle): Needle => ({ ...needle, text: needle.text.replaceAll('+', ' ') });
  const plain = parts.map(({ name, bytes }) => whole(name, bytes.toString('latin1')));
  const base64 = parts.flatMap(({ name, bytes }) => [0, 1, 2].map((offset) => base64Needle(name, bytes, offset)));
  return {
    plain: setOf(plain),
    spaced: setOf(plain.map(spaced)),
    hex: setOf(parts.map(({ name, bytes }) => whole(name, bytes.toString('hex')))),
    base64: setOf(base64),
    spacedBase64: setOf(base64.map(spaced)),
    longest: parts.reduce((most, { bytes }) => Math.max(most, bytes.byteLength), 0),
  };
}

/** Length of the longest end of `first` that `second` begins with (Knuth, Morris and Pratt). */
function overlap(first: string, second: string): number {
  // Latin-1 has no such character: no match runs over it.
  const text = `${second}\u0100${first}`;
  const borders = new Uint32Array(text.length);
  for (let at = 1; at < text.length; at++) {
    let border = borders[at - 1] ?? 0;
    while (border > 0 && text[at] !== text[border]) border = borders[border - 1] ?? 0;
    borders[at] = text[at] === text[border] ? border + 1 : 0;
  }
  return borders[text.length - 1] ?? 0;
}

/** A space may stand for a `+`. */
const isBase64 = (character: string | undefined): boolean =>
  character !== undefined && /[A-Za-z0-9+/= ]/.test(character);

/** Which ends of a text may have lost what was beyond them. */
interface Cut {
  readonly start: boolean;
  readonly end: boolean;
}

/** Adds a place behind those before it, as one with all that it touches: at most one place remains for each character. */
function addSpan(spans: Span[], span: Span): void {
  let merged: Span = span;
  for (let last = spans.at(-1); last !== undefined && last.to > merged.from; last = spans.at(-1)) {
    spans.pop();
    // Whose value begins first, and of those the longer one's.
    const name = last.from < merged.from ? last.name : merged.name;
    merged = { from: Math.min(last.from, merged.from), to: Math.max(last.to, merged.to), name };
  }
  spans.push(merged);
}

/** A value that the text begins or ends in the middle of. */
function cutSpans({ text, from, to }: CodeView, { needles }: NeedleSet, cut: Cut): Span[] {
  return needles.flatMap(({ name, text: needle }): Span[] => {
    const head = cut.start ? overlap(needle, text.slice(0, needle.length)) : 0;
    const tail = cut.end ? overlap(text.slice(-needle.length), needle) : 0;
    return [
      ...(head >= MIN_SECRET_CHARACTERS ? [{ from: 0, to: to(head - 1), name }] : []),
      ...(tail >= MIN_SECRET_CHARACTERS ? [{ from: from(text.length - tail), to: to(text.length - 1), name }] : []),
    ];
  });
}

/** Places of one set in one view, in order and apart. */
function findIn(view: CodeView, set: NeedleSet): Span[] {
  const { text } = view;
  const spans: Span[] = [];
  set.automaton.search(text, (index, end) => {
    const needle = set.needles[index];
    if (needle === undefined) return;
    const at = end - needle.text.length;
    const first = needle.sharesBefore && isBase64(text[at - 1]) ? at - 1 : at;
    const last = needle.sharesAfter && isBase64(text[end]) ? end : end - 1;
    addSpan(spans, { from: view.from(first), to: view.to(last), name: needle.name });
  });
  return spans;
}

/** All places of all needles, overlapping ones as one. */
function spansOf(source: string, needles: Needles, cut: Cut): Span[] {
  const lists = decodedViews(identityView(source)).flatMap(({ decoded, hex, base64, hasSpaces }) => {
    const sets: [CodeView, NeedleSet][] = [
      [decoded, hasSpaces ? needles.spaced : needles.plain],
      [hex(), needles.hex],
      [base64(), hasSpaces ? needles.spacedBase64 : needles.base64],
    ];
    return sets.flatMap(([view, set]) => [findIn(view, set), cutSpans(view, set, cut)]);
  });
  const merged: Span[] = [];
  for (const span of lists.flat().sort((a, b) => a.from - b.from || b.to - a.to)) {
    const last = merged.at(-1);
    if (last === undefined || span.from >= last.to) merged.push(span);
    else if (span.to > last.to) merged[merged.length - 1] = { ...last, to: span.to };
  }
  return merged;
}

/** A text that comes in chunks, which may break anywhere, also inside a value. */
export interface ScrubStream {
  /** What can be told of the text by now. The rest follows. */
  write(chunk: Uint8Array): Uint8Array;
  /** The rest. */
  end(): Uint8Array;
}

class Stream implements ScrubStream {
  readonly #needles: Needles;
  readonly #hold: number;
  readonly #cut: boolean;
  #waiting = '';
  /** Bytes at the start of what waits that belong to a place told already. */
  #told = 0;
  #begun = false;

  constructor(needles: Needles, cut: boolean) {
    this.#needles = needles;
    this.#hold = needles.longest * LONGEST_FORM + SLACK;
    this.#cut = cut;
  }

  write(chunk: Uint8Array): Uint8Array {
    this.#waiting += Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString('latin1');
    if (this.#needles.longest === 0) return this.#tell(this.#waiting.length, []);
    // Looked through in strides, so that small chunks are not looked through again and again.
    if (this.#waiting.length < 2 * this.#hold) return new Uint8Array();
    let end = this.#waiting.length - this.#hold;
    // What follows an odd backslash would read differently without it.
    while (end > 0 && this.#waiting[end - 1] === '\\') end -= 1;
    return this.#tell(end, spansOf(this.#waiting, this.#needles, { start: this.#mayLackStart, end: false }));
  }

  end(): Uint8Array {
    const cut = { start: this.#mayLackStart, end: this.#cut };
    const spans = this.#waiting === '' ? [] : spansOf(this.#waiting, this.#needles, cut);
    return this.#tell(this.#waiting.length, spans);
  }

  get #mayLackStart(): boolean {
    return this.#cut && !this.#begun;
  }

  #tell(end: number, spans: readonly Span[]): Uint8Array {
    const out: string[] = [];
    let at = Math.min(this.#told, end);
    let told = this.#told;
    for (const { from, to, name } of spans) {
      if (from >= end) break;
      if (from >= told) out.push(this.#waiting.slice(at, from), `[secret ${name}]`);
      told = Math.max(told, to);
      at = Math.min(told, end);
    }
    out.push(this.#waiting.slice(at, end));
    this.#waiting = this.#waiting.slice(end);
    this.#told = Math.max(0, told - end);
    this.#begun ||= end > 0;
    return Buffer.from(out.join(''), 'latin1');
  }
}

export interface ScrubOptions {
  /** The text may begin or end inside a value, as the kept end of a long log does: such pieces go too. Default false. */
  readonly mayBeCut?: boolean;
}

/** What takes the values of one execution out of its words: each becomes `[secret NAME]`. */
export interface Scrubber {
  text(text: string, options?: ScrubOptions): string;
  stream(options?: ScrubOptions): ScrubStream;
}

/** @param secrets values by name; the scrubber keeps them, and is as secret as they are */
export function scrubberOf(secrets: Readonly<Record<string, string>>): Scrubber {
  const needles = needlesOf(secrets);
  const stream = ({ mayBeCut = false }: ScrubOptions = {}): ScrubStream => new Stream(needles, mayBeCut);
  return {
    stream,
    text(text, options) {
      const parts = stream(options);
      return Buffer.concat([parts.write(Buffer.from(text, 'utf8')), parts.end()]).toString('utf8');
    },
  };
}
