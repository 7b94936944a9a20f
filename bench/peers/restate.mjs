/**
 * Restate as a contender: its endpoint and its client in this process, its server (`RESTATE_SERVER`) as a child with its data in
 * `RESTATE_DATA`. The client keeps one HTTP/2 connection to the ingress. The journals of its invocations stay for a day.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import http2 from 'node:http2';
import { createServer } from 'node:net';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import * as restate from '@restatedev/restate-sdk';
import './with-resolvers.mjs';
import { serveLoads } from './loop.mjs';

const data = process.env.RESTATE_DATA ?? '';
const LOOK_MS = 50;

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  server.close();
  await once(server, 'close');
  return port;
}

const nothing = () => undefined;

const service = restate.service({
  name: 'bench',
  handlers: {
    job: async (/** @type {restate.Context} */ ctx, /** @type {number} */ steps) => {
      if (steps === 1) await ctx.run('nothing', nothing);
      else await restate.RestatePromise.all(Array.from({ length: steps }, (_, n) => ctx.run(`nothing-${n}`, nothing)));
    },
  },
});

/** The default of 24 partitions is for a cluster. Every write is synced, which is the default and said here. */
const config = (/** @type {{ node: number, admin: number, ingress: number }} */ ports) => `
roles = ["http-ingress", "admin", "worker", "log-server", "metadata-server"]
cluster-name = "bench"
node-name = "bench"
auto-provision = true
base-dir = ${JSON.stringify(path.join(data, 'data'))}
bind-address = "127.0.0.1:${ports.node}"
advertised-address = "http://127.0.0.1:${ports.node}"
default-num-partitions = ${process.env.RESTATE_PARTITIONS ?? '4'}
rocksdb-total-memory-size = "1 GiB"
log-filter = "error,octocrab=off"
disable-telemetry = true
[admin]
bind-address = "127.0.0.1:${ports.admin}"
disable-web-ui = true
[admin.query-engine]
memory-size = "64 MiB"
[ingress]
bind-address = "127.0.0.1:${ports.ingress}"
[bifrost]
default-provider = "${process.env.RESTATE_LOGLET ?? 'local'}"
[bifrost.local]
rocksdb-disable-wal = false
rocksdb-disable-wal-fsync = false
[log-server]
rocksdb-disable-wal-fsync = false
`;

/**
 * A line for each start and end of a job would be measured too.
 * @type {import('@restatedev/restate-sdk').LoggerTransport}
 */
const tellErrors = ({ level }, ...words) => {
  if (level === 'error') process.stderr.write(`${words.join(' ')}\n`);
};

/** Repeats a request until the server answers it. */
async function untilAnswered(/** @type {() => Promise<Response>} */ ask) {
  for (;;) {
    const answer = await ask().catch(() => undefined);
    if (answer?.ok) return;
    await delay(LOOK_MS);
  }
}

const ports = { node: await freePort(), admin: await freePort(), ingress: await freePort() };
await mkdir(data, { recursive: true });
const configFile = path.join(data, 'restate.toml');
await writeFile(configFile, config(ports));
const server = spawn(
  process.env.RESTATE_SERVER ?? '',
  ['--config-file', configFile, '--no-logo', '--listen-mode', 'tcp'],
  {
    stdio: ['ignore', 'ignore', 'inherit'],
  },
);
const ended = once(server, 'exit');
const endpoint = http2.createServer(restate.createEndpointHandler({ services: [service], logger: tellErrors }));
endpoint.listen(await freePort(), '127.0.0.1');
await once(endpoint, 'listening');
const { port } = /** @type {import('node:net').AddressInfo} */ (endpoint.address());
const admin = `http://127.0.0.1:${ports.admin}`;
await untilAnswered(() => fetch(`${admin}/health`));
await untilAnswered(() =>
  fetch(`${admin}/deployments`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ uri: `http://127.0.0.1:${port}`, force: true }),
  }),
);
const session = http2.connect(`http://127.0.0.1:${ports.ingress}`);
await once(session, 'connect');

/** @type {(steps: number) => Promise<void>} */
const job = (steps) =>
  new Promise((resolve, reject) => {
    const request = session.request({ ':method': 'POST', ':path': '/bench/job', 'content-type': 'application/json' });
    let status = 0;
    request.on('response', (headers) => {
      status = Number(headers[':status']);
    });
    request.on('error', reject).on('end', () => {
      if (status >= 200 && status < 300) resolve();
      else reject(new Error(`the ingress answered ${status}`));
    });
    request.resume();
    request.end(JSON.stringify(steps));
  });

await untilAnswered(async () => job(1).then(() => new Response()));
serveLoads(job, async () => {
  server.kill('SIGTERM');
  await ended;
});
