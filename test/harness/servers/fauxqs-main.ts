/** `node --import tsx fauxqs-main.ts <port>`: fauxqs on loopback; its own command listens on every address. */
import { buildApp } from 'fauxqs';

await buildApp({ logger: false, host: '127.0.0.1' }).listen({ host: '127.0.0.1', port: Number(process.argv[2]) });
