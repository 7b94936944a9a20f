/** Looks for secret values in bytes. It shares nothing with what takes them out: `shared/text/scrub.ts`. */
import { randomBytes } from 'node:crypto';

export type Canaries = Readonly<Record<string, string>>;

/** Bytes that could hold a value, and where they were. */
export interface Source {
  readonly place: string;
  readonly bytes: Buffer;
}

export interface Hit {
  readonly place: string;
  readonly canary: string;
  readonly form: string;
}

/** Random values in the shapes that secrets have. */
export function makeCanaries(): Canaries {
  const word = (length: number): string => randomBytes(length).toString('base64url').slice(0, length);
  return {
    CANARY_SHORT: word(8),
    CANARY_LONG: word(64),
    CANARY_BASE64: randomBytes(30).toString('base64'),
    CANARY_QUOTES: `it's "${word(10)}" \\n \`${word(6)}\``,
    CANARY_UNICODE: `ключ-${word(10)}-ü€😀-${word(4)}`,
    CANARY_SPACES: `${word(6)} two  words ${word(6)}`,
    CANARY_LINES: `-----BEGIN ${word(9)}-----\n${word(30)}\n-----END ${word(9)}-----`,
    CANARY_URL: `https://user:${word(12)}@host/?a=${word(6)}&signature=${word(8)}+%2F`,
  };
}

/** The part of base64 text that is the same whatever stands around the value. */
function base64At(value: string, offset: number): string {
  const bytes = Buffer.concat([Buffer.alloc(offset), Buffer.from(value)]);
  const whole = bytes.toString('base64').slice(0, Math.floor((bytes.byteLength * 4) / 3));
  return whole.slice(Math.ceil((offset * 4) / 3));
}

const percent = (value: string): string => Buffer.from(value).toString('hex').replace(/../g, '%$&');

/** Of a value that is long enough for a piece of it to be random too. */
const LONG_CHARACTERS = 40;
const PIECE_CHARACTERS = 20;

/** Each form by its name; forms that are the same text are found once. */
export const FORMS: Readonly<Record<string, (value: string) => string>> = {
  raw: (value) => value,
  beginning: (value) => (value.length < LONG_CHARACTERS ? value : value.slice(0, PIECE_CHARACTERS)),
  end: (value) => (value.length < LONG_CHARACTERS ? value : value.slice(-PIECE_CHARACTERS)),
  json: (value) => JSON.stringify(value).slice(1, -1),
  'json in json': (value) => JSON.stringify(JSON.stringify(value).slice(1, -1)).slice(1, -1),
  base64: (value) => base64At(value, 0),
  'base64 + 1': (value) => base64At(value, 1),
  'base64 + 2': (value) => base64At(value, 2),
  base64url: (value) => base64At(value, 0).replaceAll('+', '-').replaceAll('/', '_'),
  'base64url + 1': (value) => base64At(value, 1).replaceAll('+', '-').replaceAll('/', '_'),
  'base64url + 2': (value) => base64At(value, 2).replaceAll('+', '-').replaceAll('/', '_'),
  hex: (value) => Buffer.from(value).toString('hex'),
  HEX: (value) => Buffer.from(value).toString('hex').toUpperCase(),
  url: encodeURIComponent,
  'url, lower case': (value) => encodeURIComponent(value).replace(/%../g, (code) => code.toLowerCase()),
  form: (value) => new URLSearchParams({ value }).toString().slice('value='.length),
  percent: (value) => percent(value),
  PERCENT: (value) => percent(value).toUpperCase(),
};

interface Needle {
  readonly canary: string;
  readonly form: string;
  readonly bytes: Buffer;
}

function needlesOf(canaries: Canaries): Needle[] {
  return Object.entries(canaries).flatMap(([canary, value]) => {
    const texts = new Map<string, string>();
    for (const [form, of] of Object.entries(FORMS)) {
      const text = of(value);
      if (!texts.has(text)) texts.set(text, form);
    }
    return [...texts].map(([text, form]) => ({ canary, form, bytes: Buffer.from(text) }));
  });
}

/** Every value in every form, in every source. */
export function searcherOf(canaries: Canaries): (source: Source) => Hit[] {
  const needles = needlesOf(canaries);
  return ({ place, bytes }) =>
    needles.flatMap(({ canary, form, bytes: needle }) => (bytes.includes(needle) ? [{ place, canary, form }] : []));
}
