/** We as a contender: `isomorph dev` in a process of its own, and a bare NATS client that publishes commands and hears ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { connectNats } from '../../shared/nats/connect.ts';
import { commandSubject } from '../../shared/wire/commands.ts';
import { commitSubject, planOfSubject } from '../../shared/wire/ledger.ts';
import type { StackInfo } from '../../stack/embedded.ts';
import { loop } from '../peers/loop.mjs';
import type { Contender } from './contender.ts';
import type { Processes } from './processes.ts';

const BIN = fileURLToPath(new URL('../../bin/isomorph.mjs', import.meta.url));
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

export interface OursOptions {
  readonly home: string;
  readonly databaseUrl: string;
  /** Of the server of that database. */
  readonly postgres: number;
  /** Where the services write their CPU profile when they end. */
  readonly profileDir?: string;
}

export interface Ours extends Contender {
  /** Messages that are stored so far, by stream. */
  messages(): Promise<Readonly<Record<string, number>>>;
}

const SLOTS = 64;
/** Nothing here may be bounded by a limit that is there for small disks and strangers. */
const UNBOUNDED = {
  ISOMORPH_MAX_LEDGER_BYTES: '4GiB',
  ISOMORPH_MAX_COMMANDS_BYTES: '256MiB',
  ISOMORPH_MAX_WORK_BYTES: '256MiB',
  ISOMORPH_MAX_WAITING_COMMANDS_A_PRINCIPAL: '100000',
  ISOMORPH_MAX_OPEN_PLANS_A_PRINCIPAL: '100000',
  ISOMORPH_MAX_OPEN_PLANS: '100000',
};

async function startDev({ home, databaseUrl, profileDir }: OursOptions): Promise<ChildProcess> {
  const profile = profileDir === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileDir}`];
  const env = {
    ...process.env,
    ...UNBOUNDED,
    DATABASE_URL: databaseUrl,
    ISOMORPH_HOME: home,
    ISOMORPH_REGISTRY: here('registry'),
    ISOMORPH_PROCESSORS: here('processors'),
    ISOMORPH_SLOTS: String(SLOTS),
    LOG_LEVEL: 'warn',
  };
  const dev = spawn(process.execPath, [...profile, BIN, 'dev', '--json'], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ready = new Promise<void>((resolve) => {
    createInterface({ input: dev.stdout }).on('line', (line) => {
      if ((JSON.parse(line) as { type: string }).type === 'ready') resolve();
    });
  });
  const gone = once(dev, 'exit').then(() => Promise.reject(new Error('dev ended before it was ready')));
  await Promise.race([ready, gone]);
  return dev;
}

/** Waits for the ends of plans, all on one subscription. */
class Ends {
  readonly #waiting = new Map<string, { resolve: () => void; reject: (error: Error) => void }>();

  constructor(client: NatsConnection) {
    for (const kind of ['plan.settled', 'plan.rejected']) {
      client.subscribe(commitSubject({ plan_id: '*', kind }), {
        callback: (_, message) => this.#end(planOfSubject(message.subject) ?? '', message.string()),
      });
    }
  }

  of(planId: string): Promise<void> {
    return new Promise((resolve, reject) => this.#waiting.set(planId, { resolve, reject }));
  }

  #end(planId: string, commit: string): void {
    const waiting = this.#waiting.get(planId);
    this.#waiting.delete(planId);
    if (commit.includes('"status":"succeeded"')) waiting?.resolve();
    else waiting?.reject(new Error(`${planId} did not succeed: ${commit.slice(-500)}`));
  }
}

const planOf = (planId: string, steps: number) => ({
  plan_id: planId,
  timeout_s: 3_600,
  budget: { limit_usd_micro: 0 },
  steps: Array.from({ length: steps }, (_, n) => ({ id: `s${n}`, processor: 'bench/noop@1' })),
});

/** The judge and the keeper live beside the runs; what else the stack started is a processor's, or a server of its own. */
const isProcessor = (command: string): boolean => /\bprocessor\b/.test(command);

function cpuOf(all: Processes, dev: number, { nats }: StackInfo, postgres: number) {
  const runs = all.children(dev).filter((pid) => isProcessor(all.command(pid)));
  return {
    services: all.ownMs(dev),
    nats_server: all.treeMs(nats.pid),
    postgres: all.treeMs(postgres),
    processors: runs.reduce((ms, pid) => ms + all.treeMs(pid), all.reapedMs(dev)),
  };
}

export async function startOurs(options: OursOptions): Promise<Ours> {
  const dev = await startDev(options);
  const info = JSON.parse(await readFile(path.join(options.home, 'stack.json'), 'utf8')) as StackInfo;
  const client = await connectNats({ url: info.nats.url, name: 'bench' });
  const admin = await connectNats({ url: info.nats.adminUrl ?? '', name: 'bench-admin' });
  const ends = new Ends(client);
  await client.flush();
  let count = 0;
  const job = async (steps: number): Promise<void> => {
    count += 1;
    const planId = `bench-${count}`;
    const end = ends.of(planId);
    client.publish(commandSubject('submit'), JSON.stringify(planOf(planId, steps)));
    await end;
  };
  return {
    name: 'ours',
    load: (load) => loop(job, load),
    cpu: (all) => cpuOf(all, dev.pid ?? 0, info, options.postgres),
    async messages() {
      const streams = await (await jetstreamManager(admin)).streams.list().next();
      return Object.fromEntries(streams.map(({ config, state }) => [config.name, state.last_seq]));
    },
    async stop() {
      await Promise.all([client.close(), admin.close()]);
      const ended = once(dev, 'exit');
      dev.kill('SIGINT');
      await ended;
    },
  };
}
