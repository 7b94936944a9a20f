/** Starts one execution on a worker, says so, and waits to be killed: `worker-start-main.ts <nats url> <assignment>`. */

import { connectNats } from '../../shared/nats/connect.ts';
import { WorkerRuntime } from '../../shared/runtime/drivers/worker/worker.ts';
import type { Assignment } from '../../shared/runtime/runtime.ts';

const [url = '', assignment = ''] = process.argv.slice(2);
const runtime = new WorkerRuntime({ connection: await connectNats({ url, name: 'test-starter', waitMs: 30_000 }) });
await runtime.run(JSON.parse(assignment) as Assignment);
process.stdout.write('begun\n');
setInterval(() => undefined, 1e6);
