/** Starts one execution, says so, and waits to be killed: `start-main.ts <adapter> <processorsDir> <stateDir> <assignment>`. */
import type { Adapter } from '../../shared/ids/adapter.ts';
import { MockRuntime } from '../../shared/runtime/drivers/mock/mock.ts';
import { openRuntime } from '../../shared/runtime/open.ts';
import type { Assignment } from '../../shared/runtime/runtime.ts';

const [adapter = '', processorsDir = '', stateDir = '', assignment = ''] = process.argv.slice(2);
const runtime = await openRuntime(adapter as Adapter, { processorsDir, stateDir });
/** As after a while: nobody waits for it otherwise. */
const park = async (): Promise<void> => {
  if (process.env.START_PARKED === '1' && runtime instanceof MockRuntime) await runtime.park();
};
await park();
await runtime.run(JSON.parse(assignment) as Assignment);
await park();
process.stdout.write('begun\n');
setInterval(() => undefined, 1e6);
