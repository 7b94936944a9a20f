import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import * as assert from 'uvu/assert';
import { DEFAULT_LIMITS } from '../../services/common/config/limits.ts';
import { streamUses } from '../../services/common/limits-in-force.ts';
import { ensureTopology, type Fit } from '../../services/setup/topology.ts';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { connectNats } from '../../shared/nats/connect.ts';
import { freeBytesOn } from '../../stack/files.ts';
import { type NatsServerHandle, startNatsServer } from '../../stack/nats/server.ts';
import { suite } from '../harness/suite.ts';
import { Disk, mayMount } from '../stack/disk.ts';
import { natsBinary } from '../stack/fixture.ts';

const test = suite('streams on a small disk');
test.skipUnless(mayMount, 'a disk can be made small by root on Linux only');

const MIB = 1024 ** 2;

let home: string;
let disk: Disk;
test.before(async () => {
  home = await mkdtemp(path.join(os.tmpdir(), 'isomorph-small-disk-'));
  disk = await Disk.behind(home);
});
test.after(async () => {
  await disk.unmount();
  await rm(home, { recursive: true });
});

/** The server of the stack on the disk as it is now, as setup and then a service find it. */
async function onDisk<T>(use: (server: NatsServerHandle) => Promise<T>): Promise<T> {
  const server = await startNatsServer({ binary: await natsBinary(), dir: path.join(home, 'nats') });
  try {
    return await use(server);
  } finally {
    await server.stop();
  }
}

/** Sets up on what is free, and says what streams hold. @param noise mebibytes to write */
const setUpOn = (noise: number) =>
  onDisk(async ({ url, credentials: { admin } }) => {
    const login = `nats://${admin.user}:${admin.pass}@${new URL(url).host}`;
    const connection = await connectNats({ url: login, name: 'setup' });
    try {
      const freeBytes = await freeBytesOn(path.join(home, 'nats'));
      const told: number[] = [];
      const onFitted = ({ givenBytes }: Fit) => told.push(givenBytes);
      await ensureTopology(connection, { limits: DEFAULT_LIMITS, freeBytes, onFitted });
      // Noise that does not compress.
      const megabyte = Buffer.from(Array.from({ length: 900_000 }, () => 32 + Math.floor(Math.random() * 90)));
      for (let at = 0; at < noise; at++) {
        const answer = (
          await connection.request(`ledger.noise-${at}.plan.noise`, megabyte, { timeout: 30_000 })
        ).json();
        assert.is((answer as { error?: unknown }).error, undefined);
      }
      const uses = await streamUses(await jetstreamManager(connection));
      const ledger = uses.find(({ stream }) => stream === 'LEDGER');
      return { told, freeBytes, ledger, growth: uses.reduce((sum, use) => sum + use.limitBytes - use.bytes, 0) };
    } finally {
      await connection.close();
    }
  });

test('a store starts on 1 GiB, on a disk that shrank as long as its data fits, and says amounts on one where it does not', async () => {
  await disk.leave(1024 * MIB);
  const large = await setUpOn(40);
  assert.is(large.ledger?.limitBytes, DEFAULT_LIMITS.ledgerBytes);

  await disk.leave(100 * MIB);
  const small = await setUpOn(0);
  assert.is(small.ledger?.bytes, large.ledger?.bytes, 'all of it is there');
  const { bytes = 0, limitBytes = 0 } = small.ledger ?? {};
  assert.ok(limitBytes > bytes && limitBytes < DEFAULT_LIMITS.ledgerBytes, `${limitBytes} of ${bytes}`);
  assert.equal([large.told.length, small.told.length], [0, 1], 'it is told');
  assert.ok(small.growth < small.freeBytes, 'and nothing can grow beyond the disk');

  await disk.leave(20 * MIB);
  const thrown: unknown = await setUpOn(0).catch((error: unknown) => error);
  assert.instance(thrown, IsomorphError);
  assert.is((thrown as IsomorphError).code, 'ERR_NO_ROOM');
  assert.match(
    (thrown as IsomorphError).message,
    /the streams need [\d.]+MiB on their disk, [\d.]+MiB are free; .*LEDGER 34\.\dMiB of 256MiB/,
  );

  await disk.free();
  assert.is((await setUpOn(0)).ledger?.limitBytes, DEFAULT_LIMITS.ledgerBytes, 'with room again all is as configured');
});

test.run();
