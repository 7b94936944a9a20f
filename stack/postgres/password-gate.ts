/** Asks for a password before a connection reaches PGlite, which knows none. Loopback only, so it travels as it is. */
import { timingSafeEqual } from 'node:crypto';
import type { Socket } from 'node:net';

const PROTOCOL_3 = 196_608;
const SSL_REQUEST = 80_877_103;
const GSS_REQUEST = 80_877_104;
/** Who says nothing, or much, before the password is no client. */
const PATIENCE_MS = 10_000;
const MAX_BYTES = 16_384;

const ASK_FOR_PASSWORD = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3]);

/** An ErrorResponse of the protocol. */
function refusal(code: string, message: string): Buffer {
  const fields = Buffer.from(`SFATAL\0VFATAL\0C${code}\0M${message}\0\0`);
  const length = Buffer.alloc(4);
  length.writeInt32BE(4 + fields.byteLength);
  return Buffer.concat([Buffer.from('E'), length, fields]);
}

function isSame(given: Buffer, password: string): boolean {
  const wanted = Buffer.from(password);
  return given.byteLength === wanted.byteLength && timingSafeEqual(given, wanted);
}

/** Calls `admit` with the socket, at the state of one whose start-up message was not read yet, once the password was right. */
export function guardSocket(socket: Socket, password: string, admit: (socket: Socket) => void): void {
  let buffer = Buffer.alloc(0);
  let startup: Buffer | undefined;
  const patience = setTimeout(() => socket.destroy(), PATIENCE_MS);
  const refuse = (code: string, message: string): void => {
    socket.write(refusal(code, message));
    // Not only its own half: a client that never closes would keep the descriptor.
    socket.destroySoon();
  };
  const end = (): void => {
    clearTimeout(patience);
    socket.removeListener('data', take);
  };
  const begin = (): void => {
    if (buffer.byteLength < 8) return;
    const [length, code] = [buffer.readInt32BE(0), buffer.readInt32BE(4)];
    if (code === SSL_REQUEST || code === GSS_REQUEST) {
      socket.write('N');
      buffer = buffer.subarray(8);
      begin();
      return;
    }
    if (code !== PROTOCOL_3) socket.destroy();
    if (code !== PROTOCOL_3 || buffer.byteLength < length) return;
    startup = buffer.subarray(0, length);
    buffer = buffer.subarray(length);
    socket.write(ASK_FOR_PASSWORD);
  };
  const judge = (before: Buffer): void => {
    if (buffer.byteLength < 5) return;
    const length = 1 + buffer.readInt32BE(1);
    const isPassword = buffer[0] === 'p'.charCodeAt(0);
    if (isPassword && buffer.byteLength < length) return;
    end();
    // Its last byte is a zero.
    if (!isPassword || !isSame(buffer.subarray(5, length - 1), password)) {
      refuse('28P01', 'password authentication failed');
      return;
    }
    socket.pause();
    socket.unshift(Buffer.concat([before, buffer.subarray(length)]));
    admit(socket);
    socket.resume();
  };
  function take(data: Buffer): void {
    buffer = Buffer.concat([buffer, data]);
    if (buffer.byteLength > MAX_BYTES) {
      socket.destroy();
      return;
    }
    if (startup === undefined) begin();
    if (startup !== undefined) judge(startup);
  }
  socket.on('data', take).on('error', () => socket.destroy());
  socket.once('close', () => clearTimeout(patience));
}
