import { readFile } from 'node:fs/promises';
import * as assert from 'uvu/assert';
import { NATS_USERS, OPERATOR, serverConfig } from '../../stack/nats/server-config.ts';
import { suite } from '../harness/suite.ts';

const test = suite('nats.conf of compose');

const passwords = Object.fromEntries(NATS_USERS.map((name) => [name, 'none'])) as Record<
  (typeof NATS_USERS)[number],
  string
>;

/** Every text in a value, however deep. */
const textsIn = (value: unknown): string[] =>
  typeof value === 'string'
    ? [value]
    : typeof value === 'object' && value !== null
      ? Object.values(value).flatMap(textsIn)
      : [];

test('it allows, denies, exports and imports the same subjects as the embedded server', async () => {
  const embedded = serverConfig({
    ...{ passwords, principals: [{ name: OPERATOR, password: 'none' }], port: -1, monitorPort: -1 },
    ...{ storeDir: '/store', logFile: '/log', portsDir: '/ports' },
  });
  const { accounts } = JSON.parse(embedded) as { accounts: unknown };
  const isSubject = (text: string): boolean => text === '>' || text.includes('.');
  const text = await readFile(new URL('../../deploy/nats.conf', import.meta.url), 'utf8');
  const conf = text.slice(text.indexOf('accounts {')).replace(/^\s*#.*$/gm, '');
  const written = [...conf.matchAll(/"([^"]*)"/g)].map(([, subject = '']) => subject);
  assert.equal(written.sort(), textsIn(accounts).filter(isSubject).sort());
});

test.run();
