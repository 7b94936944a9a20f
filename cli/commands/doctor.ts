import { readFile, statfs } from 'node:fs/promises';
import path from 'node:path';
import { ERROR_TABLE } from '../../shared/errors/codes.ts';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { requireNewEnough } from '../../shared/nats/server-version.ts';
import type { Registry } from '../../shared/registry/registry.ts';
import { plural } from '../../shared/text/plural.ts';
import { type Checkup, fail, ok, warn } from '../checkup.ts';
import type { Context } from '../context.ts';
import { lastSequence } from '../ledger-source.ts';
import { homeOf, registryOf, runningStack } from '../place.ts';
import { bytes, plain, wrap } from '../render/text.ts';
import { GLYPH, type Theme } from '../render/theme.ts';

type Check = (context: Context) => Promise<Checkup>;

const messageOf = (error: unknown): string => (error instanceof Error ? error.message || error.name : String(error));

/** A check that throws has found its fault. */
const guarded =
  (name: string, check: (context: Context) => Promise<Checkup>): Check =>
  async (context) => {
    try {
      return await check(context);
    } catch (error) {
      const remedy = error instanceof IsomorphError ? ERROR_TABLE[error.code].remedy : 'See the message.';
      return fail(name, messageOf(error), remedy);
    }
  };

const LEAST_NODE = [20, 19] as const;

const node = guarded('node', async () => {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const enough = major > LEAST_NODE[0] || (major === LEAST_NODE[0] && minor >= LEAST_NODE[1]);
  const found = `${process.versions.node} on ${process.platform}-${process.arch}`;
  return enough ? ok('node', found) : fail('node', found, `Install Node ${LEAST_NODE.join('.')} or later.`);
});

const blake3 = guarded('blake3', async () => {
  const { blake3EngineName: engine } = await import('../../shared/hash/blake3.ts');
  if (engine === 'native') return ok('blake3', 'native engine');
  return warn('blake3', `${engine} engine: right, but slower`, 'Run `npm ci` again, with optional packages.');
});

const natsServer = guarded('nats-server', async ({ terminal }) => {
  const { acquireNatsServer } = await import('../../stack/nats/acquire.ts');
  try {
    // Without sources nothing is fetched: a doctor looks.
    const { version, origin } = await acquireNatsServer({ env: terminal.env, sources: [] });
    return ok('nats-server', `${version} (${origin})`);
  } catch (error) {
    if ((terminal.env.NATS_SERVER ?? '') !== '') throw error;
    return warn('nats-server', 'none on this machine yet', 'The first `npm run dev` or `npm run demo` fetches one.');
  }
});

const FEW_BYTES = 2e9;
const TOO_FEW_BYTES = 2e8;

const disk = guarded('disk', async ({ terminal }) => {
  const { bavail, bsize } = await statfs(await existing(homeOf(terminal)));
  const free = bavail * bsize;
  const found = `${bytes(free)} free for state`;
  const remedy = 'Free space, or set ISOMORPH_HOME to a folder on another disk.';
  if (free < TOO_FEW_BYTES) return fail('disk', found, remedy);
  return free < FEW_BYTES ? warn('disk', found, remedy) : ok('disk', found);
});

/** The folder, or the nearest one above it that exists. */
async function existing(folder: string): Promise<string> {
  try {
    await statfs(folder);
    return folder;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return existing(path.dirname(folder));
  }
}

async function registryOfContext({ terminal }: Context): Promise<Registry> {
  const { loadRegistry } = await import('../../shared/registry/registry.ts');
  return loadRegistry(registryOf(terminal, runningStack(homeOf(terminal))));
}

const registry = guarded('registry', async (context) => {
  const { processors, policies } = await registryOfContext(context);
  return ok('registry', `${plural(processors.size, 'processor')}, ${plural(policies.size, 'policy', 'policies')}`);
});

const PROVIDE_SECRETS = 'Plans that need them are refused: provide them.';
const ASK_FOR_SECRETS = 'Plans that need them are admitted, and fail if there is none: see docs/secrets.md.';

const namesOf = (all: readonly { readonly name: string }[]): string => all.map(({ name }) => name).join(', ');

const secrets = guarded('secrets', async (context) => {
  const { openSecrets } = await import('../../shared/secrets/open.ts');
  const { processors } = await registryOfContext(context);
  const names = [...new Set([...processors.values()].flatMap((one) => one.secrets.required))].sort();
  if (names.length === 0) return ok('secrets', 'no processor needs one');
  const resolver = await openSecrets(context.place.secretsUrl ?? 'env:', context.terminal.env);
  try {
    const looked = await Promise.all(names.map(async (name) => ({ name, found: await resolver.has(name) })));
    const those = (found: boolean | undefined): string => namesOf(looked.filter((one) => one.found === found));
    const untold = those(undefined);
    if (those(false) !== '') return warn('secrets', `${those(false)} cannot be resolved`, PROVIDE_SECRETS);
    if (untold !== '') return warn('secrets', `of ${untold} nothing can be told from here`, ASK_FOR_SECRETS);
    return ok('secrets', `${those(true)} can be resolved`);
  } finally {
    await resolver.close();
  }
});

/** Capabilities as one line: what is not offered is left out. */
const offered = (capabilities: object): string =>
  Object.entries(capabilities)
    .filter(([, value]) => value !== false && value !== 'none')
    .map(([name, value]) => (value === true ? name : `${name} ${value}`))
    .join(', ');

const scratch = guarded('scratch', async ({ place: { kvUrl, queueUrl } }) => {
  const { kvCapabilities } = await import('../../shared/scratch/kv/open.ts');
  const { queueCapabilities } = await import('../../shared/scratch/queue/open.ts');
  const lines = [
    ...(kvUrl === undefined ? [] : [`KV ${schemeOf(kvUrl)} (${offered(await kvCapabilities(kvUrl))})`]),
    ...(queueUrl === undefined ? [] : [`queues ${schemeOf(queueUrl)} (${offered(await queueCapabilities(queueUrl))})`]),
  ];
  if (lines.length > 0) return ok('scratch', lines.join('; '));
  return warn('scratch', 'neither KV nor queues', 'Set KV_URL and QUEUE_URL for plans that use them.');
});

const schemeOf = (url: string): string => url.slice(0, url.indexOf(':'));

const stack = guarded('stack', async ({ terminal, place }) => {
  if (place.nats === undefined)
    return warn('stack', 'none runs here', 'Start one with `npm run dev`, or set NATS_URL.');
  if (place.source === 'environment') return ok('stack', 'named by NATS_URL');
  return ok('stack', `process ${runningStack(homeOf(terminal))?.pid}, adapters ${place.adapters.join(', ')}`);
});

/** What the monitoring port says; only an embedded server's is known here. */
async function syncsEveryWrite(home: string): Promise<boolean | undefined> {
  try {
    const ports = JSON.parse(await readFile(path.join(home, 'nats', 'ports.json'), 'utf8')) as { monitorPort?: number };
    const answer = await fetch(`http://127.0.0.1:${ports.monitorPort}/varz`, { signal: AbortSignal.timeout(3_000) });
    const varz = (await answer.json()) as { jetstream?: { config?: { sync_always?: boolean } } };
    return varz.jetstream?.config?.sync_always === true;
  } catch {
    // Not being able to look is an answer of its own.
    return undefined;
  }
}

const nats = guarded('nats', async (context) => {
  const { terminal, place } = context;
  const connection = await context.connection('auditor');
  requireNewEnough(connection.info?.version);
  const messages = await lastSequence(connection);
  const found = `nats-server ${connection.info?.version}, ledger of ${plural(messages, 'commit')}`;
  const syncs = place.source === 'environment' ? undefined : await syncsEveryWrite(homeOf(terminal));
  if (syncs === true) return ok('nats', `${found}, every write synced`);
  if (syncs === false) return fail('nats', `${found}, writes not synced`, 'Set jetstream { sync_interval: always }.');
  return warn(
    'nats',
    `${found}; whether it syncs every write cannot be seen from here`,
    'Look for jetstream.config.sync_always in /varz of its monitoring port.',
  );
});

const streams = guarded('streams', async ({ terminal, place }) => {
  const url = place.source === 'environment' ? place.nats?.client : runningStack(homeOf(terminal))?.nats.serviceUrl;
  if (url === undefined)
    return warn('streams', 'no user of the services is known here', 'Look at the log of a service.');
  const missing = await (await import('../topology-checkup.ts')).missingTopology(url);
  if (missing === undefined) return warn('streams', 'this user may not look', 'Set NATS_URL of a service.');
  if (missing.length === 0) return ok('streams', 'all streams and consumers are there');
  return fail('streams', `gone: ${missing.join(', ')}`, 'Run setup, as whoever may create streams.');
});

const limits = guarded('limits', async (context) => {
  const { limitsCheckup } = await import('../limits-checkup.ts');
  return limitsCheckup(await context.connection('service'), context.terminal.env);
});

const MANY_BEHIND = 100;

const postgres = guarded('postgres', async (context) => {
  const pool = await context.pool();
  if (pool === undefined) return warn('postgres', 'none is named', 'Set DATABASE_URL for the projection.');
  const { rows: versions } = await pool.query<{ server_version: string }>('show server_version');
  const version = `Postgres ${versions[0]?.server_version}`;
  const { rows: tables } = await pool.query<{ name: string | null }>(`select to_regclass('isomorph.position') as name`);
  if (tables[0]?.name == null) return warn('postgres', `${version}, nothing projected yet`, 'Start the projector.');
  const { rows } = await pool.query<{ seq: string }>('select stream_seq as seq from isomorph.position');
  const position = Number(rows[0]?.seq ?? 0);
  const behind = (await lastSequence(await context.connection('auditor'))) - position;
  const found = `${version}, projected ${behind <= 0 ? 'up to the last commit' : `but for ${plural(behind, 'commit')}`}`;
  return behind > MANY_BEHIND
    ? warn('postgres', found, 'See whether the projector runs: its log says why not.')
    : ok('postgres', found);
});

const plans = guarded('plans', async (context) => {
  const { plansCheckup } = await import('../plans-checkup.ts');
  const { undocumentedPlans, unfollowedPlans } = await import('../unfollowed.ts');
  return plansCheckup(await unfollowedPlans(context), Date.now(), await undocumentedPlans(context));
});

const PROBE = { worldPath: '/artifacts/doctor/probe.txt', text: 'isomorph doctor was here\n' } as const;

const store = guarded('artifacts', async (context) => {
  const opened = await context.store();
  // Always the same bytes at the same path: a second probe leaves nothing new behind.
  const data = new TextEncoder().encode(PROBE.text);
  await opened.putBytes({ worldPath: PROBE.worldPath, data, contentType: 'text/plain; charset=utf-8' });
  const back = await opened.getBytes({ worldPath: PROBE.worldPath, expectedCid: opened.computeCid(data) });
  if (back.byteLength !== data.byteLength) return fail('artifacts', 'the probe came back changed', 'Check the store.');
  return ok('artifacts', `${opened.driver}: written, read and verified`);
});

const MACHINE: readonly Check[] = [node, blake3, natsServer, disk, registry, secrets, scratch, stack];
const RUNNING: readonly Check[] = [nats, streams, limits, postgres, plans, store];

const NAME_WIDTH = 12;

/** Pure. */
export function checkupLines({ name, verdict, found, remedy }: Checkup, theme: Theme): string[] {
  const [glyph, paint] = {
    ok: [GLYPH.good, theme.good] as const,
    warn: [GLYPH.warn, theme.warn] as const,
    fail: [GLYPH.bad, theme.bad] as const,
  }[verdict];
  const indent = ' '.repeat(NAME_WIDTH + 4);
  const [first = '', ...rest] = wrap(plain(found), theme.columns - indent.length);
  return [
    `${paint(glyph)} ${name.padEnd(NAME_WIDTH)}  ${first}`,
    ...rest.map((line) => indent + line),
    ...(remedy === undefined
      ? []
      : wrap(remedy, theme.columns - indent.length).map((line) => theme.dim(indent + line))),
  ];
}

/** `isomorph doctor`: exit 1 when a line says fail. */
export async function doctor(context: Context): Promise<number> {
  const { out } = context;
  const checkups: Checkup[] = [];
  const checks = context.place.nats === undefined ? MACHINE : [...MACHINE, ...RUNNING];
  for (const check of checks) {
    const checkup = await check(context);
    checkups.push(checkup);
    out.lines(...checkupLines(checkup, out.theme));
  }
  const healthy = checkups.every(({ verdict }) => verdict !== 'fail');
  out.document({ ok: healthy, checks: checkups });
  return healthy ? 0 : 1;
}
