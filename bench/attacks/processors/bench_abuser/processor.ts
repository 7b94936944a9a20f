import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ProcessorContext, runProcessor } from '../../../../processors/sdk/index.ts';

const AT_ONCE = 64;
const CONNECTIONS = 500;
const CHUNK = 'x'.repeat(4_096);
const MIB = 'x'.repeat(1_048_576);

/** A refusal is what an abuse comes for. */
const refused = () => undefined;

const times = (count: number, one: (index: number) => Promise<unknown>): Promise<unknown> =>
  Promise.all(Array.from({ length: count }, (_, index) => one(index).catch(refused)));

async function write(line: string): Promise<void> {
  if (!process.stdout.write(`${line}\n`)) await once(process.stdout, 'drain');
}

/** Connections that say nothing. */
async function hold(url: string): Promise<void> {
  const { hostname, port } = new URL(url);
  const sockets = Array.from({ length: CONNECTIONS }, () => connect(Number(port), hostname).on('error', refused));
  await sleep(1_000);
  for (const socket of sockets) socket.destroy();
}

/** One turn of each abuse. */
const ABUSES: Readonly<Record<string, (ctx: ProcessorContext, turn: number) => Promise<unknown>>> = {
  time: () => sleep(50),
  cpu: async () => {
    for (const endMs = performance.now() + 50; performance.now() < endMs; );
  },
  log: () => write(CHUNK),
  progress: (_ctx, turn) => write(JSON.stringify({ isomorph: 'progress', fraction: (turn % 1_000) / 1_000 })),
  tokens: () => write('isoscratch_'.repeat(24_000)),
  kv: (ctx, turn) => times(AT_ONCE, (n) => ctx.kv.put(`k${turn}-${n}`, CHUNK)),
  queue: (ctx, turn) => times(AT_ONCE, (n) => ctx.queue(`t${turn % 8}`).publish(`${n}${CHUNK}`)),
  uploads: (ctx) => times(8, () => ctx.output('out.json').write(MIB)),
  connections: (ctx) => hold(String(ctx.params.gateway_url)),
};

await runProcessor(async (ctx) => {
  const { abuse, for_ms: forMs = 0 } = ctx.params as { abuse: string; for_ms?: number };
  const take = ABUSES[abuse];
  const endMs = performance.now() + forMs;
  for (let turn = 0; take !== undefined && performance.now() < endMs; turn += 1) await take(ctx, turn);
  await ctx.output('out.json').write('{}');
});
