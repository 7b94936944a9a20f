import { startOwnDocker } from '../harness/servers/index.ts';

/** Starts an engine, says where it is, and waits to be killed. */
const { socketPath } = await startOwnDocker();
process.stdout.write(`${socketPath}\n`);
setInterval(() => undefined, 60_000);
