import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { parse } from 'yaml';
import { readConfig } from '../../services/common/config/config.ts';
import { LIMITS, type LimitKey } from '../../services/common/config/limits.ts';
import { VARIABLES } from '../../services/common/config/variables.ts';
import { PROCESSES, type ProcessName, SERVICES } from '../../services/common/services.ts';
import { connectNats } from '../../shared/nats/connect.ts';
import { requireNewEnough } from '../../shared/nats/server-version.ts';
import { acquireNatsServer } from '../../stack/nats/acquire.ts';
import { waitUntilReady } from '../../stack/nats/readiness.ts';
import { openPostgres } from '../../stack/postgres/open.ts';
import { scaledMs } from '../harness/slowness.ts';
import { heard } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';

/** docker-compose.yml with processes in place of containers: its services, its environment, its nats.conf. */

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

interface ComposeService {
  readonly image: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

const COMPOSE = parse(await readFile(path.join(ROOT, 'docker-compose.yml'), 'utf8'), { merge: true }) as {
  readonly services: Readonly<Record<string, ComposeService>>;
};
const OURS = Object.entries(COMPOSE.services).filter(([, { image }]) => image.startsWith('isomorph/'));
const STATE = '/var/lib/isomorph';

/** How the image starts a service: exactly that is run here. */
const DOCKERFILE = await readFile(path.join(ROOT, 'deploy/Dockerfile'), 'utf8');
const [program = '', ...args] = JSON.parse(/^ENTRYPOINT (.*)$/m.exec(DOCKERFILE)?.[1] ?? '[]') as string[];

const test = suite('docker-compose.yml');

/** A value as compose fills it in, by default when nothing is set. */
const filledIn = (text: string, values: Readonly<Record<string, string>> = {}): string =>
  text.replace(/\$\{([A-Z_]+):-([^}]*)\}/g, (_, name: string, fallback: string) => values[name] ?? fallback);

test('it runs every service, and sets no variable that nobody reads', () => {
  const commands = OURS.map(([, { command }]) => command?.[0]).sort();
  assert.equal(commands, [...PROCESSES].sort());
  const known = new Set<string>(Object.values(VARIABLES).map(({ name }) => name));
  for (const [name, { environment = {} }] of OURS) {
    const unknown = Object.keys(environment).filter((variable) => !known.has(variable));
    assert.equal(unknown, [], name);
  }
});

test('every limit can be set for all services at once, and is as by default where it is not', () => {
  const limits = Object.entries(LIMITS);
  const given: Readonly<Record<string, string>> = Object.fromEntries(
    limits.map(([, { name, least }]) => [name, String(least)]),
  );
  for (const [service, { environment = {} }] of OURS) {
    const configOf = (values: Readonly<Record<string, string>>) =>
      readConfig(
        Object.fromEntries(Object.entries(environment).map(([name, text]) => [name, filledIn(String(text), values)])),
        [service as ProcessName],
      );
    const [set, unset] = [configOf(given), configOf({})];
    for (const [key, { name, least, fallback }] of limits) {
      assert.equal([set[key as LimitKey], unset[key as LimitKey]], [least, fallback], `${service} ${name}`);
    }
  }
});

test('it pins a nats-server without published holes', () => {
  const [, version] = /^nats:(\d+\.\d+\.\d+)-alpine$/.exec(COMPOSE.services.nats?.image ?? '') ?? [];
  requireNewEnough(version);
});

/** What was started, ended in reverse. */
class Processes {
  readonly #children: ChildProcess[] = [];

  start(command: string, args: readonly string[], env: Readonly<Record<string, string>>): ChildProcess {
    const child = spawn(command, args, {
      cwd: ROOT,
      env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#children.push(child);
    return child;
  }

  async stop(): Promise<void> {
    for (const child of this.#children.reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const closed = once(child, 'close');
      child.kill('SIGTERM');
      await closed;
    }
  }
}

/** The first line of a service's log that has `field`. Reads on, so that the pipe never fills. */
async function logged(child: ChildProcess, field: string): Promise<string> {
  if (child.stdout === null) throw new Error('no standard output');
  const lines = createInterface({ input: child.stdout });
  for await (const line of lines) {
    const value = (JSON.parse(line) as Record<string, unknown>)[field];
    if (value === undefined) continue;
    child.stdout.resume();
    return String(value);
  }
  throw new Error(`it ended without telling its ${field}`);
}

/** With the principal that it shows how to add. */
const withAlice = (conf: string): string =>
  conf.replace(/^ +# \{\n(?: +# .*\n)+? +# \}\n/m, (block) => block.replace(/^( +)# /gm, '$1'));

/** nats-server as compose starts it, on ports and in a folder of the test. */
async function startNats(processes: Processes, home: string): Promise<number> {
  const folder = path.join(home, 'nats');
  await mkdir(folder);
  const { path: binary } = await acquireNatsServer({ env: process.env, onProgress: () => undefined });
  const { environment = {} } = COMPOSE.services.nats ?? {};
  const passwords = Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, filledIn(value)]));
  const conf = await readFile(path.join(ROOT, 'deploy/nats.conf'), 'utf8');
  const adapted = withAlice(conf)
    .replace('port: 4222', 'host: 127.0.0.1\nport: -1')
    .replace('http: 8222', 'http: "127.0.0.1:-1"')
    .replace('store_dir: /data', `store_dir: "${folder}"`);
  await writeFile(path.join(folder, 'isomorph.conf'), adapted);
  const args = ['-c', path.join(folder, 'isomorph.conf'), '--ports_file_dir', folder, '-l', path.join(folder, 'log')];
  const server = processes.start(binary, args, { ...passwords, NATS_ALICE_PASSWORD: 'alice' });
  const ready = await waitUntilReady({
    portsDir: folder,
    pid: server.pid ?? 0,
    timeoutMs: scaledMs(60_000),
    hasEnded: () => server.exitCode !== null,
  });
  if (ready === undefined) throw new Error(await readFile(path.join(folder, 'log'), 'utf8'));
  return ready.port;
}

test('its services run a plan together', async () => {
  const home = await mkdtemp(path.join(os.tmpdir(), 'isomorph-compose-'));
  const processes = new Processes();
  const postgres = await openPostgres({ env: {}, dir: path.join(home, 'postgres'), onExit: () => undefined });
  try {
    const port = await startNats(processes, home);
    const adapted = (text: string): string =>
      filledIn(String(text))
        .replace('@nats:4222', `@127.0.0.1:${port}`)
        .replace(/^postgres:.*/, postgres.url)
        .replace('0.0.0.0:8080', '127.0.0.1:0')
        .replace(STATE, home);
    const envOf = (name: string): Record<string, string> => {
      const entries = Object.entries(COMPOSE.services[name]?.environment ?? {});
      return Object.fromEntries(entries.map(([variable, value]) => [variable, adapted(value)]));
    };
    const start = (name: string, more: Record<string, string> = {}): ChildProcess =>
      processes.start(program, [...args, name], { ...envOf(name), ...more });

    const [code] = await once(start('setup'), 'close');
    assert.is(code, 0, 'setup');
    const gatewayUrl = await logged(start('gateway'), 'url');
    const reach = { ARTIFACTS_GATEWAY_URL: gatewayUrl, SCRATCH_GATEWAY_URL: gatewayUrl };
    for (const name of SERVICES) if (name !== 'gateway') start(name, reach).stdout?.resume();

    const params = { items: 20 };
    const plan = {
      plan_id: 'composed',
      budget: { limit_usd_micro: 10_000 },
      steps: [
        { id: 'scatter', processor: 'demo/scatter@1', params },
        { id: 'tally', processor: 'demo/tally@1', params, needs: ['scatter'] },
        { id: 'gather', processor: 'demo/gather@1', params, needs: ['tally'] },
      ],
    };
    const client = await connectNats({ url: `nats://127.0.0.1:${port}`, name: 'client' });
    const alice = await connectNats({ url: `nats://alice:alice@127.0.0.1:${port}`, name: 'alice' });
    try {
      const submit = () => client.request('plans.submit', JSON.stringify(plan), { timeout: scaledMs(10_000) });
      const commit = await heard(client, 'ledger.composed.plan.settled', submit);
      const settled = JSON.parse(commit.split('\n').at(-1) ?? '');
      assert.is(settled.data.status, 'succeeded', JSON.stringify(settled));

      const own = { ...plan, plan_id: 'of-alice' };
      const asAlice = () => alice.request('plans.alice.submit', JSON.stringify(own), { timeout: scaledMs(10_000) });
      const submitted = await heard(alice, 'ledger.of-alice.plan.admitted', asAlice);
      assert.is(JSON.parse(submitted.split('\n')[0] ?? '').data.principal, 'alice');
      const cancel = () => client.request('plans.cancel', '{"plan_id":"of-alice"}', { timeout: scaledMs(10_000) });
      const refused = JSON.parse(await heard(client, 'dead.commands.anonymous.of-alice', cancel));
      assert.is(refused.fault.code, 'ERR_PRINCIPAL');
    } finally {
      await Promise.all([client.close(), alice.close()]);
    }
  } finally {
    await processes.stop();
    await postgres.stop();
    await rm(home, { recursive: true, force: true });
  }
});

test.run();
