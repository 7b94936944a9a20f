import { fileURLToPath } from 'node:url';
import { toFault } from '../../shared/errors/isomorph-error.ts';
import type { EmbeddedStack, StackInfo } from '../../stack/embedded.ts';
import type { Context } from '../context.ts';
import { homeOf, shownPath } from '../place.ts';
import { duration } from '../render/text.ts';
import { GLYPH } from '../render/theme.ts';
import { Waiting } from '../waiting.ts';

const STARTING = 'starting nats-server, Postgres, the artifact gateway and five services';

/** Starts the embedded stack and says what is waited for. */
export async function startStack(context: Context, env = context.terminal.env): Promise<EmbeddedStack> {
  const { out, terminal } = context;
  const startedMs = Date.now();
  const waiting = new Waiting(out, STARTING);
  let stack: EmbeddedStack;
  try {
    const { startEmbeddedStack } = await import('../../stack/embedded.ts');
    stack = await startEmbeddedStack({
      home: homeOf(terminal),
      env,
      onProgress: (message) => {
        waiting.say(out.theme.dim(`${GLYPH.note} ${message}`));
        out.document({ type: 'starting', message });
      },
      onTrouble: (message) => {
        out.lines(`${out.theme.warn(GLYPH.warn)} ${message}`);
        out.document({ type: 'trouble', message });
      },
      onServiceFailure: (service, error) => {
        const { code, message } = toFault(error);
        out.lines(`${out.theme.bad(`${GLYPH.bad} ${service} has halted: ${code}`)} ${message}`);
        out.lines(out.theme.dim('  everything else goes on; `npx isomorph fsck` says more'));
        out.document({ type: 'halted', service, code, message });
      },
    });
  } finally {
    waiting.end();
  }
  const where = shownPath(stack.info.home, terminal.cwd);
  const took = duration(Date.now() - startedMs);
  out.lines(`${out.theme.good(GLYPH.good)} stack up in ${took}; its state is in ${out.theme.bold(`${where}/`)}`);
  return stack;
}

const worldFolder = ({ artifacts }: StackInfo, cwd: string): string =>
  artifacts.url.startsWith('file:') ? `${shownPath(fileURLToPath(artifacts.url), cwd)}/` : artifacts.url;

/** The address of a database without its user and password. */
function addressOf(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}

/** How to use the stack, in lines to copy. */
export function usageLines(info: StackInfo, { out, terminal }: Pick<Context, 'out' | 'terminal'>): string[] {
  const { theme } = out;
  const title = (text: string): string => theme.bold(text);
  const run = (command: string): string => `  ${theme.accent(command)}`;
  return [
    `  ${theme.dim('NATS     ')} ${info.nats.url}`,
    `  ${theme.dim('Postgres ')} ${addressOf(info.postgres.url)}`,
    `  ${theme.dim('artifacts')} ${worldFolder(info, terminal.cwd)}`,
    '',
    title('Submit'),
    run('npx isomorph artifact put examples/penguins/penguins.csv \\'),
    run('  /artifacts/inputs/penguins.csv'),
    run('npx isomorph submit examples/penguins/plan.yaml --wait'),
    theme.dim('  or with nothing but a NATS client:'),
    run(`nats -s ${info.nats.url} request plans.submit "$(cat plan.json)"`),
    '',
    title('Watch'),
    run('npx isomorph watch'),
    run('npx isomorph show penguins'),
    '',
    title('Verify'),
    run('npx isomorph ledger verify'),
    run('npx isomorph ledger export penguins -o penguins.ndjson'),
    run('npx isomorph fsck'),
    '',
  ];
}

/** Resolves on Ctrl-C; rejects when the stack cannot go on. */
export function untilInterrupted(stack: EmbeddedStack, interrupted: AbortSignal): Promise<void> {
  const end = new Promise<void>((resolve) => {
    if (interrupted.aborted) resolve();
    interrupted.addEventListener('abort', () => resolve(), { once: true });
  });
  // A pending promise keeps no process alive, and every part of the stack may be another process.
  const alive = setInterval(() => undefined, 60_000);
  return Promise.race([end, stack.failure]).finally(() => clearInterval(alive));
}

/** `isomorph dev`: the embedded stack, until Ctrl-C. */
export async function dev(context: Context): Promise<number> {
  const { out, terminal } = context;
  const stack = await startStack(context);
  try {
    const { nats, artifacts, home, adapters } = stack.info;
    out.lines(...usageLines(stack.info, context), out.theme.dim('Ctrl-C ends it.'));
    out.document({ type: 'ready', home, nats_url: nats.url, artifacts_url: artifacts.url, adapters });
    await untilInterrupted(stack, terminal.interrupted);
    out.lines('', out.theme.dim('stopping'));
  } finally {
    await stack.stop();
  }
  out.lines(`${out.theme.good(GLYPH.good)} stopped; \`npm run dev\` goes on where it was`);
  out.document({ type: 'stopped' });
  return 0;
}
