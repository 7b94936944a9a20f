import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import * as assert from 'uvu/assert';
import type { Processor } from '../../shared/plan/registry.ts';
import type { RunResult } from '../../shared/runtime/runtime.ts';
import { available } from '../harness/servers/index.ts';
import { suite } from '../harness/suite.ts';
import { bootActor, plainActor } from './local-images.ts';
import { assignmentOf, type LocalUnderTest, localUnderTest, said } from './local-under-test.ts';

const test = suite('runtime local, isolation');
const found = await available('docker');
test.skipUnless(found.ok, found.ok ? '' : found.reason);

interface Probe {
  readonly uid: number;
  readonly capabilities: readonly string[];
  readonly noNewPrivileges: string;
  readonly seccomp: string;
  readonly openFiles: number;
  readonly interfaces: readonly string[];
  readonly writes: Readonly<Record<string, string>>;
  readonly targets: Readonly<Record<string, string>>;
  readonly urls: Readonly<Record<string, string>>;
}

/** A server of the host on loopback that answers with its name. */
async function hostServer(name: string): Promise<{ readonly port: number; stop(): Promise<void> }> {
  const server = createServer((_, answer) => answer.end(name));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

let its: LocalUnderTest;
let granted: Awaited<ReturnType<typeof hostServer>>;
let other: Awaited<ReturnType<typeof hostServer>>;
test.before(async () => {
  [granted, other] = [await hostServer('granted'), await hostServer('other')];
  const target = `127.0.0.1:${granted.port}`;
  const endpoints = [target, `artifacts.isomorph.test:9000=${target}`];
  its = await localUnderTest({ endpoints, parked: 0 });
});
test.after(async () => {
  await its.stop();
  await Promise.all([granted.stop(), other.stop()]);
});

const sized = (changes: Partial<Processor['runtime']>): Processor['runtime'] => ({
  cpu: 1,
  memory_gb: 0.125,
  timeout_s: 60,
  network: 'none',
  ...changes,
});

async function run(processor: Processor, params: Record<string, unknown> = {}): Promise<RunResult> {
  const one = assignmentOf(processor, params);
  const result = await (await its.runtime.run(one)).wait();
  await its.runtime.forget(one.executionId);
  return result;
}

test('a processor is nobody, may nothing, and writes only where its work is', async () => {
  for (const actor of [bootActor(), plainActor()]) {
    const paths = ['/x', '/app/x', '/etc/passwd', '/proc/sys/kernel/hostname', '/run/isomorph/x', '/tmp/x'];
    const probe = said<Probe>(await run(actor, { mode: 'probe', paths }), 'probe');
    assert.is(probe.uid, 65_532);
    assert.equal([...new Set(probe.capabilities)], ['0000000000000000']);
    assert.equal([probe.noNewPrivileges, probe.seccomp], ['1', '2']);
    assert.ok(probe.openFiles < 20_000, `${probe.openFiles} open files`);
    const { '/tmp/x': scratch, ...refused } = probe.writes;
    assert.is(scratch, 'done');
    for (const [file, code] of Object.entries(refused)) assert.match(code, /^(EROFS|EACCES|ENOENT)$/, file);
  }
});

test('limits of the registry file hold, and no plan can lift what is fixed', async () => {
  const actor = bootActor({ runtime: sized({ cpu: 0.5, memory_gb: 0.25, timeout_s: 7 }) });
  const params = { HostConfig: { Privileged: true }, Memory: 2 ** 40, User: '0', network: 'internet' };
  const one = assignmentOf(actor, params);
  await (await its.runtime.run(one)).wait();
  const [row] = (await its.left()).containers;
  const { HostConfig: host, Config: config } = await its.engine.getContainer(row ?? '').inspect();
  assert.equal([host.Memory, host.MemorySwap, host.NanoCpus], [2 ** 28, 2 ** 28, 5e8]);
  assert.equal([host.Privileged, host.ReadonlyRootfs, host.AutoRemove, host.Init], [false, true, false, true]);
  assert.equal([host.NetworkMode, host.CapDrop, host.CapAdd ?? []], ['none', ['ALL'], []]);
  assert.equal([host.SecurityOpt, host.Binds ?? [], host.PidsLimit], [['no-new-privileges:true'], [], 512]);
  assert.equal(host.LogConfig, { Type: 'json-file', Config: { 'max-size': '1m', 'max-file': '2' } });
  assert.equal(host.Tmpfs, { '/tmp': `rw,nosuid,nodev,mode=1777,size=${2 ** 27}` });
  assert.is(config.User, '65532:65532');
  assert.is(config.Labels['dev.isomorph.execution'], one.executionId);
  await its.runtime.forget(one.executionId);
});

test('a processor that takes all memory has run out of it', async () => {
  assert.equal((await run(bootActor(), { mode: 'eat memory' })).outcome, { kind: 'out_of_memory' });
});

test('a fork bomb ends at the limit of its container', async () => {
  const actor = bootActor({ runtime: sized({ memory_gb: 1 }) });
  const result = await run(actor, { mode: 'start processes' });
  assert.equal(result.outcome, { kind: 'exited', exitCode: 0 });
  const started = said<number>(result, 'started');
  assert.ok(started > 100 && started < 512, `${started} processes`);
});

test('a disk that is filled is only its own', async () => {
  const result = await run(bootActor(), { mode: 'fill the disk' });
  const filled = said<{ megabytes: number; code: string; size: number }>(result, 'filled');
  assert.equal([filled.code, filled.size], ['ENOSPC', 2 ** 26]);
  assert.ok(filled.megabytes <= 64);
});

test('a scratch volume holds what the registry file says and not a byte more, beside the memory of the processor', async () => {
  // Larger than the memory of the processor.
  const actor = bootActor({ runtime: sized({ scratch_volume_gb: 0.25 }) });
  const one = assignmentOf(actor, { mode: 'fill the disk' });
  const [result, beside] = await Promise.all([
    (await its.runtime.run(one)).wait(),
    run(bootActor(), { mode: 'probe', paths: ['/tmp/x'] }),
  ]);
  const filled = said<{ megabytes: number; code: string; size: number }>(result, 'filled');
  assert.equal([filled.code, filled.size, result.outcome], ['ENOSPC', 2 ** 28, { kind: 'exited', exitCode: 0 }]);
  assert.is(said<Probe>(beside, 'probe').writes['/tmp/x'], 'done');
  await its.runtime.forget(one.executionId);
});

test('a scratch volume that is larger than one may be is refused before anything runs', async () => {
  const result = await run(bootActor({ runtime: sized({ scratch_volume_gb: 2 }) }), { mode: 'probe' });
  assert.is(result.outcome.kind, 'not_started');
  assert.is(result.error?.code, 'ERR_CAPABILITY');
});

/** Everything a processor might try: the host by its addresses and by what engines give it, names, the internet. */
function forbidden(): string[] {
  const addresses = Object.values(os.networkInterfaces()).flatMap((each) => (each ?? []).map(({ address }) => address));
  const hosts = [...addresses.filter((address) => !address.includes(':')), '172.17.0.1', 'host.docker.internal'];
  const ofHost = hosts.map((host) => `${host}:${other.port}`);
  return [...ofHost, `127.0.0.1:${other.port}`, '1.1.1.1:443', '169.254.169.254:80', 'example.com:443'];
}

test('without a grant nothing is reachable', async () => {
  for (const actor of [bootActor(), plainActor()]) {
    const targets = [...forbidden(), `127.0.0.1:${granted.port}`];
    const probe = said<Probe>(await run(actor, { mode: 'probe', targets }), 'probe');
    assert.equal(probe.interfaces, ['lo']);
    for (const target of targets) {
      assert.match(probe.targets[target] ?? '', /^(ECONNREFUSED|ENETUNREACH|ENOTFOUND|EAI_AGAIN)$/, target);
    }
  }
});

test('the usual grant reaches the granted endpoints by their own URLs, and nothing else', async () => {
  for (const actor of [bootActor, plainActor]) {
    const processor = actor({ runtime: sized({ network: 'artifacts' }) });
    const urls = [`http://127.0.0.1:${granted.port}/`, 'http://artifacts.isomorph.test:9000/x'];
    const targets = forbidden();
    const probe = said<Probe>(await run(processor, { mode: 'probe', targets, urls }), 'probe');
    assert.equal(probe.interfaces, ['lo']);
    assert.equal(Object.values(probe.urls), ['granted', 'granted']);
    for (const target of targets) {
      assert.match(probe.targets[target] ?? '', /^(ECONNREFUSED|ENETUNREACH|ENOTFOUND|EAI_AGAIN)$/, target);
    }
  }
});

test('containers with a grant do not reach each other', async () => {
  const processor = plainActor({ runtime: sized({ network: 'artifacts' }) });
  const [first, second] = [assignmentOf(processor, { mode: 'hang' }), assignmentOf(processor, { mode: 'hang' })];
  await Promise.all([first, second].map((one) => its.runtime.run(one)));
  const inspected = await Promise.all(
    (await its.left()).containers.map((name) => its.engine.getContainer(name).inspect()),
  );
  assert.is(inspected.length, 4);
  for (const { NetworkSettings: settings } of inspected) {
    for (const { IPAddress } of Object.values(settings.Networks)) assert.is(IPAddress, '');
  }
  const namespaces = inspected.map(({ HostConfig }) => HostConfig.NetworkMode).filter((mode) => mode !== 'none');
  assert.is(new Set(namespaces).size, 2);
  await Promise.all([first, second].map((one) => its.runtime.forget(one.executionId)));
});

test('an endpoint that was granted stays reachable when its dispatcher is another process', async () => {
  const processor = bootActor({ runtime: sized({ network: 'artifacts' }) });
  const url = `http://127.0.0.1:${granted.port}/`;
  const [one, two] = [await its.another(), await its.another()];
  const probe = async (runtime: LocalUnderTest['runtime']): Promise<string | undefined> => {
    const assignment = assignmentOf(processor, { mode: 'probe', urls: [url] });
    const result = await (await runtime.run(assignment)).wait();
    await runtime.forget(assignment.executionId);
    return said<Probe>(result, 'probe').urls[url];
  };
  assert.is(await probe(one), 'granted');
  await one.close();
  assert.is(await probe(two), 'granted');
  await two.close();
  assert.is(await probe(its.runtime), 'granted');
});

test('secrets of an image with our boot module are nowhere in what the engine keeps', async () => {
  const secret = 'a-secret-of-the-isolation-test';
  const one = assignmentOf(bootActor(), { mode: 'look' }, { secrets: { PROBE_TOKEN: secret } });
  const result = await (await its.runtime.run(one)).wait();
  assert.is(said<Record<string, string>>(result, 'env').PROBE_TOKEN, secret);
  const [name = ''] = (await its.left()).containers;
  assert.not.match(JSON.stringify(await its.engine.getContainer(name).inspect()), new RegExp(secret));
  await its.runtime.forget(one.executionId);
});

test('nothing is left behind', async () => {
  assert.equal(await its.left(), { containers: [], networks: [], volumes: 0 });
});

test.run();
