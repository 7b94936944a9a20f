import { available, startCeph } from '../harness/servers/index.ts';
import { makeS3Store } from '../world/s3-store.ts';
import { endConformance } from './asleep.ts';

let server: Awaited<ReturnType<typeof startCeph>>;

endConformance('ceph', () => makeS3Store(server), {
  available: await available('ceph'),
  start: async () => {
    server = await startCeph();
  },
  stop: () => server.stop(),
});
