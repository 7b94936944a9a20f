import { inspect } from 'node:util';
import { runProcessor } from '../../../../processors/sdk/index.ts';

/** Past the SDK, which would take out what it handed over: from the environment, straight to the descriptors. */
const secrets = Object.entries(process.env).flatMap(([name, value]) =>
  name.startsWith('CANARY_') && value !== undefined ? [value] : [],
);

type Stream = NodeJS.WriteStream;
const write = (stream: Stream, chunk: string | Uint8Array): Promise<void> =>
  new Promise((resolve) => stream.write(chunk, () => resolve()));

/** What a careless program makes of a value. */
const formsOf = (value: string): string[] => [
  value,
  JSON.stringify(value),
  inspect({ value }),
  ...['', ':', 'u:'].map((before) => Buffer.from(`${before}${value}`).toString('base64')),
  Buffer.from(`user:${value}`).toString('base64url'),
  Buffer.from(value).toString('hex'),
  Buffer.from(value).toString('hex').toUpperCase(),
  encodeURIComponent(value),
  new URLSearchParams({ value }).toString(),
  encodeURIComponent(value).replace(/%../g, (code) => code.toLowerCase()),
];

const everyForm = secrets.flatMap(formsOf);
const report = (fields: object): string => `${JSON.stringify(fields)}\n`;

/** Lines of both streams, and what looks nearly like a report. */
async function print(): Promise<void> {
  for (const form of everyForm) {
    await write(process.stdout, `told: ${form}\n`);
    await write(process.stderr, `<${form}>`);
  }
  await write(process.stdout, report({ isomorph: 'nothing known', all: secrets }));
}

/** In two writes, broken also inside a character, and byte by byte. */
async function split(): Promise<void> {
  for (const form of everyForm) {
    const bytes = Buffer.from(form);
    const half = Math.floor(bytes.byteLength / 2);
    for (const part of [bytes.subarray(0, half), bytes.subarray(half)]) await write(process.stdout, part);
    await write(process.stdout, '\n');
  }
  for (const value of secrets)
    for (const byte of Buffer.from(`${value}\n`)) await write(process.stdout, Buffer.of(byte));
}

/** More than is kept of a log (a power of two), so that its kept part begins one byte after the start of a value. */
async function flood(): Promise<void> {
  for (let count = 0; count < 10; count++) await write(process.stdout, `${everyForm.join('')}\n`);
  await write(process.stdout, `${process.env.CANARY_LONG?.repeat(8_192)}\n`);
}

async function reports(): Promise<void> {
  for (const form of everyForm) {
    await write(process.stdout, report({ isomorph: 'progress', fraction: 0.5, message: form, more: form }));
  }
  const message = everyForm.join(' ').slice(0, 8_000);
  await write(process.stdout, report({ isomorph: 'error', code: secrets[0], message, retryable: false }));
}

/** A message is cut after 1,000 characters: inside a value. */
async function clip(): Promise<void> {
  const message = `${'x'.repeat(975)}${process.env.CANARY_LONG}`;
  await write(process.stdout, report({ isomorph: 'error', code: 'ERR_EXIT', message, retryable: false }));
}

await runProcessor(async (ctx) => {
  const { way } = ctx.params as { way: string };
  switch (way) {
    case 'print':
      await print();
      break;
    case 'split':
      await split();
      break;
    case 'flood':
      await flood();
      break;
    case 'report':
      await reports();
      process.exit(1);
      break;
    case 'clip':
      await clip();
      process.exit(1);
      break;
    case 'throw':
      throw new Error(`could not log in with ${everyForm.join(' ')}`);
    case 'die':
      process.removeAllListeners('uncaughtException');
      setImmediate(() => {
        throw Object.assign(new Error(secrets.join(' ')), { secrets });
      });
      await new Promise(() => undefined);
      break;
    default:
      throw new Error(`no way "${way}"`);
  }
  await ctx.output('out.json').write(JSON.stringify({ way }));
});
