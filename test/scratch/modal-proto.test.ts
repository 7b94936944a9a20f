/** The messages of the local control plane are those of the SDK: field by field, through both codecs, both ways. */
import type { MessageTypeDefinition, MethodDefinition, PackageDefinition } from '@grpc/proto-loader';
import { loadSync } from '@grpc/proto-loader';
import * as assert from 'uvu/assert';
import { PROTO, PROTO_OPTIONS, ROUTER_PROTO } from '../harness/modal/control-plane.ts';
import { type SdkCodec, type SdkService, sdkMethods } from '../harness/modal/sdk-codecs.ts';
import { suite } from '../harness/suite.ts';

const test = suite('modal proto');

interface Field {
  readonly name: string;
  readonly label: string;
  readonly type: string;
  readonly typeName: string;
}
interface MessageType {
  readonly name: string;
  readonly field: readonly Field[];
  readonly nestedType: readonly (MessageType & { readonly options: { readonly mapEntry?: boolean } | null })[];
}
type Message = Readonly<Record<string, unknown>>;

const SERVICES: readonly { readonly proto: string; readonly inPackage: string; readonly service: SdkService }[] = [
  { proto: PROTO, inPackage: 'modal.client', service: 'ModalClient' },
  { proto: ROUTER_PROTO, inPackage: 'modal.task_command_router', service: 'TaskCommandRouter' },
];

const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
type TypeNamed = (name: string) => MessageType;

/** A value of its own for every field, so that two fields in each other's place would show. */
function sample(type: MessageType, named: TypeNamed, next: () => number): Message {
  const entries = type.field.map((field): [string, unknown] => {
    if (type.nestedType.some(({ name, options }) => name === field.typeName && options?.mapEntry === true)) {
      return [field.name, { [`key_${next()}`]: `text ${next()}` }];
    }
    const value = sampleOf(field, named, next);
    return [field.name, field.label === 'LABEL_REPEATED' ? [value, sampleOf(field, named, next)] : value];
  });
  return Object.fromEntries(entries);
}

function sampleOf({ type, typeName }: Field, named: TypeNamed, next: () => number): unknown {
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
    case 'TYPE_UINT32':
    case 'TYPE_INT64':
    case 'TYPE_UINT64':
      return n;
    case 'TYPE_ENUM':
      return 1;
    case 'TYPE_MESSAGE':
      return sample(named(typeName), named, next);
    default:
      throw new Error(`no sample of ${type}`);
  }
}

/** What protobuf does not send: the SDK has fields that the control plane has not, and then reads these for them. */
const isDefault = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  value === '' ||
  value === 0 ||
  // 64 bits, as the SDK reads them.
  value === '0' ||
  value === false ||
  (value instanceof Uint8Array && value.length === 0) ||
  (Array.isArray(value) && value.length === 0) ||
  (typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype && Object.keys(value).length === 0);

/** A message with names as in the proto, without what was not sent. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value];
  // `Timestamp`, as the SDK reads it.
  if (value instanceof Date) return { seconds: value.getTime() / 1_000 };
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([name, inner]): [string, unknown] => [snake(name), plain(inner)]);
  return Object.fromEntries(entries.filter(([, inner]) => !isDefault(inner)).sort(([a], [b]) => (a < b ? -1 : 1)));
}

const counter = () => {
  let n = 0;
  return () => ++n;
};

interface OurCodec {
  readonly type: MessageType;
  serialize(message: object): Buffer;
  deserialize(bytes: Buffer): object;
}

function agree(ours: OurCodec, theirs: SdkCodec, named: TypeNamed): void {
  const message = sample(ours.type, named, counter());
  const decoded = theirs.decode(ours.serialize(message));
  assert.equal(plain(decoded), plain(message), 'the SDK reads something else');
  const back = ours.deserialize(Buffer.from(theirs.encode(theirs.fromPartial(decoded as object)).finish()));
  assert.equal(plain(withoutMarks(back)), plain(message), 'the SDK writes something else');
}

/** A field beginning with `_` names which member of a proto3 `optional` is set. */
function withoutMarks(value: unknown): unknown {
  if (value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map(withoutMarks);
  if (typeof value !== 'object' || value === null) return value;
  const set = Object.entries(value).filter(([name]) => !name.startsWith('_'));
  return Object.fromEntries(set.map(([name, inner]) => [name, withoutMarks(inner)]));
}

for (const { proto, inPackage, service: name } of SERVICES) {
  const definition: PackageDefinition = loadSync(proto, PROTO_OPTIONS);
  const service = definition[`${inPackage}.${name}`] as Readonly<Record<string, MethodDefinition<object, object>>>;
  const named: TypeNamed = (typeName) =>
    (definition[`${inPackage}.${typeName}`] as MessageTypeDefinition<object, object>).type as MessageType;
  const sdk = sdkMethods(name);

  test(`${name} has the methods it should`, () => {
    assert.ok(Object.keys(service).length >= (name === 'ModalClient' ? 40 : 2));
  });

  for (const [methodName, method] of Object.entries(service)) {
    test(`${methodName}: messages agree with the SDK`, () => {
      const theirs = sdk.get(methodName);
      if (theirs === undefined) return assert.unreachable(`the SDK has no method ${methodName}`);
      const { requestStream, responseStream, requestType, responseType } = method;
      assert.equal(
        { requestStream, responseStream },
        { requestStream: theirs.requestStream, responseStream: theirs.responseStream },
      );
      const [asked, answered] = [requestType.type as MessageType, responseType.type as MessageType];
      agree(
        { type: asked, serialize: method.requestSerialize, deserialize: method.requestDeserialize },
        theirs.requestType,
        named,
      );
      agree(
        { type: answered, serialize: method.responseSerialize, deserialize: method.responseDeserialize },
        theirs.responseType,
        named,
      );
    });
  }
}

test.run();
