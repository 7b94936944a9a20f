/** The messages of the local control plane are those of the SDK: field by field, through both codecs, both ways. */
import type { MessageTypeDefinition, MethodDefinition, PackageDefinition } from '@grpc/proto-loader';
import { loadSync } from '@grpc/proto-loader';
import * as assert from 'uvu/assert';
import { PROTO, PROTO_OPTIONS } from '../harness/modal/control-plane.ts';
import { type SdkCodec, sdkMethods } from '../harness/modal/sdk-codecs.ts';
import { suite } from '../harness/suite.ts';

const test = suite('modal proto');

interface Field {
  readonly name: string;
  readonly label: string;
  readonly type: string;
  readonly typeName: string;
}
type Message = Readonly<Record<string, unknown>>;

const definition: PackageDefinition = loadSync(PROTO, PROTO_OPTIONS);
const service = definition['modal.client.ModalClient'] as Readonly<Record<string, MethodDefinition<object, object>>>;
const sdk = sdkMethods();

/** Fields of the SDK's messages that the control plane has no use for: it neither reads nor sends them. */
const LEFT_OUT = ['environment_type', 'max_concurrent_gpus', 'max_concurrent_tasks', 'block_unauthenticated_resources'];

const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const fieldsOf = (type: unknown): readonly Field[] => (type as { readonly field: readonly Field[] }).field;

/** A value of its own for every field, so that two fields in each other's place would show. */
function sample(type: unknown, next: () => number): Message {
  const entries = fieldsOf(type).map((field): [string, unknown] => {
    const value = sampleOf(field, next);
    return [field.name, field.label === 'LABEL_REPEATED' ? [value, sampleOf(field, next)] : value];
  });
  return Object.fromEntries(entries);
}

function sampleOf({ type, typeName }: Field, next: () => number): unknown {
  const n = next();
  switch (type) {
    case 'TYPE_STRING':
      return `text ${n}`;
    case 'TYPE_BYTES':
      return Buffer.from([0, n, 255]);
    case 'TYPE_BOOL':
      return true;
    case 'TYPE_DOUBLE':
    case 'TYPE_FLOAT':
      return n + 0.5;
    case 'TYPE_INT32':
      return n;
    case 'TYPE_ENUM':
      return 1 + (n % 5);
    case 'TYPE_MESSAGE':
      return sample((definition[`modal.client.${typeName}`] as MessageTypeDefinition<object, object>).type, next);
    default:
      throw new Error(`no sample of ${type}`);
  }
}

/** What the SDK decoded, with names as in the proto, without what is left out. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value];
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([name, inner]): [string, unknown] => [snake(name), plain(inner)]);
  return Object.fromEntries(entries.filter(([name]) => !LEFT_OUT.includes(name)).sort(([a], [b]) => (a < b ? -1 : 1)));
}

const counter = () => {
  let n = 0;
  return () => ++n;
};

interface OurCodec {
  readonly type: unknown;
  serialize(message: object): Buffer;
  deserialize(bytes: Buffer): object;
}

function agree(ours: OurCodec, theirs: SdkCodec): void {
  const message = sample(ours.type, counter());
  const decoded = theirs.decode(ours.serialize(message));
  assert.equal(plain(decoded), plain(message), 'the SDK reads something else');
  const back = ours.deserialize(Buffer.from(theirs.encode(theirs.fromPartial(decoded as object)).finish()));
  // A field beginning with `_` names which member of a proto3 `optional` is set.
  const set = Object.entries(back).filter(([name]) => !name.startsWith('_'));
  assert.equal(plain(Object.fromEntries(set)), plain(message), 'the SDK writes something else');
}

test('the service has the methods it should', () => {
  assert.ok(Object.keys(service).length >= 20);
});

for (const [name, method] of Object.entries(service)) {
  test(`${name}: messages agree with the SDK`, () => {
    const theirs = sdk.get(name);
    if (theirs === undefined) return assert.unreachable(`the SDK has no method ${name}`);
    const { requestStream, responseStream } = method;
    assert.equal(
      { requestStream, responseStream },
      { requestStream: theirs.requestStream, responseStream: theirs.responseStream },
    );
    agree(
      { type: method.requestType.type, serialize: method.requestSerialize, deserialize: method.requestDeserialize },
      theirs.requestType,
    );
    agree(
      { type: method.responseType.type, serialize: method.responseSerialize, deserialize: method.responseDeserialize },
      theirs.responseType,
    );
  });
}

test.run();
