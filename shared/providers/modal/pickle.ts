import { IsomorphError } from '../../errors/isomorph-error.ts';

/**
 * Python's pickle, for text alone. Modal's Dict compares keys as bytes, and Python's client pickles them: with the very
 * bytes of CPython (protocol 4, as cloudpickle writes it there) a Python program finds `dict["k:name"]`.
 */
const PROTO = 0x80;
const PROTOCOL = 4;
const FRAME = 0x95;
const SHORT_BINUNICODE = 0x8c;
const BINUNICODE = 0x58;
const BINUNICODE8 = 0x8d;
const MEMOIZE = 0x94;
const STOP = 0x2e;
const FRAME_BYTES = 8;
const HEADER_BYTES = 3 + FRAME_BYTES;

/** The bytes of `pickle.dumps(text, protocol=4)`; of texts beyond 64 KiB they differ in the framing, which readers skip. */
export function pickleText(text: string): Uint8Array {
  const utf8 = Buffer.from(text, 'utf8');
  const isShort = utf8.length < 256;
  const lengthBytes = isShort ? 1 : 4;
  const frame = 1 + lengthBytes + utf8.length + 2;
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + frame);
  bytes.set([PROTO, PROTOCOL, FRAME]);
  bytes.writeBigUInt64LE(BigInt(frame), 3);
  let at = bytes.writeUInt8(isShort ? SHORT_BINUNICODE : BINUNICODE, HEADER_BYTES);
  at = bytes.writeUIntLE(utf8.length, at, lengthBytes);
  at += utf8.copy(bytes, at);
  bytes.set([MEMOIZE, STOP], at);
  return bytes;
}

const notText = (): IsomorphError =>
  new IsomorphError('ERR_INTERNAL', 'a Modal Dict holds something that is no pickled text', {
    expected: 'only entries that Isomorph wrote',
  });

/** How many bytes the length of each text opcode has. */
const LENGTH_BYTES: Readonly<Record<number, number>> = { [SHORT_BINUNICODE]: 1, [BINUNICODE]: 4, [BINUNICODE8]: 6 };

/**
 * The text of a pickle that holds text alone, by any protocol from 2 on.
 * @throws IsomorphError ERR_INTERNAL for anything else
 */
export function unpickleText(pickle: Uint8Array): string {
  const bytes = Buffer.from(pickle.buffer, pickle.byteOffset, pickle.byteLength);
  let at = bytes[0] === PROTO ? 2 : 0;
  if (bytes[at] === FRAME) at += 1 + FRAME_BYTES;
  const opcode = bytes[at] ?? STOP;
  const lengthBytes = LENGTH_BYTES[opcode];
  if (lengthBytes === undefined || bytes.length < at + 1 + lengthBytes) throw notText();
  const length = bytes.readUIntLE(at + 1, lengthBytes);
  const start = at + 1 + (opcode === BINUNICODE8 ? FRAME_BYTES : lengthBytes);
  if (start + length >= bytes.length || bytes[bytes.length - 1] !== STOP) throw notText();
  return bytes.toString('utf8', start, start + length);
}
