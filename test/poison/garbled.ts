/** How a message goes wrong on its way from somebody who means harm, or means well and is mistaken. */
import fc from 'fast-check';

/** What is published, to whom, and with which headers. */
export interface Poison {
  readonly subject: string;
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

const deep = (levels: number): string => `${'['.repeat(levels)}${']'.repeat(levels)}`;

/** Names that every object has, and some that only look like others. */
const awkwardName = fc.constantFrom(
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '',
  ' ',
  'Plan_id',
  'plan_id\u0000',
  'ﬁle',
  'a.b',
  '*',
  '>',
);

const awkwardText = fc.oneof(
  awkwardName,
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom('x'.repeat(70_000), '\u0000', '../../etc', '%2e%2e', '(a+)+$', "'; drop table plans; --", '\ufeff{}'),
);

const awkwardValue: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(null, true, -1, 0, 1.5, 1e308, -0, [], {}, [[]], { a: null }, Number.MAX_SAFE_INTEGER),
  awkwardText,
  fc.jsonValue({ maxDepth: 3 }),
);

/** Every place in a document, as the names that lead there. */
function places(value: Json, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path];
  const inner = Object.entries(value).flatMap(([name, one]) => places(one as Json, [...path, name]));
  return path.length === 0 ? inner : [path, ...inner];
}

type Change = (parent: Record<string, unknown>, name: string) => void;

/** A copy in which one place is changed. */
function changed(document: Json, path: readonly string[], change: Change): unknown {
  const copy = structuredClone(document);
  const parent = path.slice(0, -1).reduce<unknown>((at, name) => (at as Record<string, unknown>)[name], copy);
  change(parent as Record<string, unknown>, path.at(-1) ?? '');
  return copy;
}

const aChange: fc.Arbitrary<Change> = fc.oneof(
  awkwardValue.map(
    (value): Change =>
      (parent, name) => {
        parent[name] = value;
      },
  ),
  fc.constant<Change>((parent, name) => {
    delete parent[name];
  }),
  fc.tuple(awkwardName, awkwardValue).map(
    ([added, value]): Change =>
      (parent) => {
        Object.defineProperty(parent, added, { value, enumerable: true, configurable: true, writable: true });
      },
  ),
);

/** What no serializer writes. */
const aSlip: fc.Arbitrary<(text: string) => string> = fc.oneof(
  fc.nat(400).map((at) => (text: string) => text.slice(0, at)),
  fc.tuple(fc.nat(400), fc.string({ unit: 'binary', minLength: 1, maxLength: 3 })).map(
    ([at, extra]) =>
      (text: string) =>
        text.slice(0, at) + extra + text.slice(at),
  ),
  fc.constantFrom(
    (text: string) => text.replace(/:(\d+)/, ':12345678901234567891'),
    (text: string) => text.replace(/:(\d+)/, ':1e999'),
    (text: string) => text.replace(/^\{("[^"]+":)/, '{$1null,$1'),
    (text: string) => text.replace(/:"[^"]*"/, ':"\\ud800"'),
    (text: string) => text.replace(/:"[^"]*"/, `:${deep(5_000)}`),
    (text: string) => `\ufeff${text}`,
    (text: string) => `${text}${text}`,
    (text: string) => text.replaceAll('"', "'"),
    () => deep(100_000),
    () => 'null',
    () => '[]',
    () => '',
  ),
);

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Bodies that are nearly `document`, or nothing like it. */
export const garbled = (document: fc.Arbitrary<object>): fc.Arbitrary<Uint8Array> =>
  fc.oneof(
    {
      weight: 6,
      arbitrary: document.chain((one) =>
        fc.tuple(fc.constantFrom(...places(one as Json)), aChange).map(([path, change]) =>
          // A lone surrogate, a NaN: what JSON.stringify makes of them is what a client sends.
          utf8(JSON.stringify(changed(one as Json, path, change))),
        ),
      ),
    },
    { weight: 3, arbitrary: fc.tuple(document, aSlip).map(([one, slip]) => utf8(slip(JSON.stringify(one)))) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) },
  );

/** Headers by which a client asks the server for something, or says what the next one may misread. */
export const awkwardHeaders: fc.Arbitrary<Record<string, string>> = fc.oneof(
  { weight: 8, arbitrary: fc.constant({}) },
  {
    weight: 2,
    arbitrary: fc.constantFrom<Record<string, string>>(
      { 'Nats-Msg-Id': 'the same for all' },
      { 'Nats-Rollup': 'all' },
      { 'Nats-Rollup': 'sub' },
      { 'Nats-TTL': '1s' },
      { 'Nats-Expected-Stream': 'LEDGER' },
      { 'Nats-Expected-Last-Sequence': '1' },
      { 'Nats-Expected-Last-Subject-Sequence': '0' },
      { 'Nats-Incr': '+1' },
      { 'Nats-Schedule': '@at 2030-01-01T00:00:00Z', 'Nats-Schedule-Target': 'ledger.x.plan.settled' },
      { 'Nats-Marker-Reason': 'MaxAge' },
      { 'KV-Operation': 'PURGE' },
      { Status: '404', Description: 'No Messages' },
      { traceparent: '00-zz' },
    ),
  },
);
