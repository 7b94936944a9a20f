/** The work of the bench: none. */
import { runProcessor } from '../../../../processors/sdk/index.ts';

await runProcessor(async () => undefined);
