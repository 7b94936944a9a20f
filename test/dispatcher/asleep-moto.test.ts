import { available, startMoto } from '../harness/servers/index.ts';
import { makeS3Store, S3_ANY_KEYS } from '../world/s3-store.ts';
import { endConformance } from './asleep.ts';

let server: Awaited<ReturnType<typeof startMoto>>;

endConformance('moto', () => makeS3Store({ ...server, ...S3_ANY_KEYS }), {
  available: await available('moto'),
  start: async () => {
    server = await startMoto();
  },
  stop: () => server.stop(),
});
