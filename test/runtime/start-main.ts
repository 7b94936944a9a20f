/** Starts one execution, says so, and waits to be killed: `start-main.ts <adapter> <processorsDir> <stateDir> <assignment>`. */
import type { Adapter } from '../../shared/ids/adapter.ts';
import { openRuntime } from '../../shared/runtime/open.ts';
import type { Assignment } from '../../shared/runtime/runtime.ts';

const [adapter = '', processorsDir = '', stateDir = '', assignment = ''] = process.argv.slice(2);
const runtime = await openRuntime(adapter as Adapter, { processorsDir, stateDir });
await runtime.run(JSON.parse(assignment) as Assignment);
process.stdout.write('begun\n');
setInterval(() => undefined, 1e6);
