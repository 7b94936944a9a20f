import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { VARIABLES, type Variable } from '../shared/config/variables.ts';
import { ERROR_TABLE } from '../shared/errors/codes.ts';

/** `npm run docs`: pages that are tables of the code. A test compares them with what this would write. */

const cell = (text: string): string => text.replaceAll('|', '\\|');
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.map(cell).join(' | ')} |`).join('\n');

const GENERATED = 'This page is written by `npm run docs` from the code; a test keeps both the same.';

function errorsPage(): string {
  const rows = Object.entries(ERROR_TABLE).map(([code, { meaning, retryable, remedy }]) => [
    `\`${code}\``,
    meaning,
    retryable ? 'yes' : 'no',
    remedy,
  ]);
  return `# Error codes

Act on a code, never on a message. An error also carries its place (a JSON Pointer into the input) and what was expected
there, where it has one. ${GENERATED}

${table(['code', 'meaning', 'worth a retry', 'what to do'], rows)}
`;
}

const fallbackOf = ({ fallback }: Variable<unknown>): string =>
  fallback === undefined ? '' : `\`${fallback === false ? 'off' : String(fallback)}\``;

function configurationPage(): string {
  const rows = Object.values(VARIABLES).map((variable: Variable<unknown>) => [
    `\`${variable.name}\``,
    variable.meaning,
    variable.expected,
    fallbackOf(variable),
    variable.neededBy.length === 5 ? 'all' : variable.neededBy.join(', '),
  ]);
  return `# Configuration

Each service reads its environment once, at start, and names every fault in one message. \`npm run dev\` and
\`npm run demo\` set all of this themselves. ${GENERATED}

${table(['variable', 'meaning', 'form', 'when absent', 'needed by'], rows)}

Beside these, \`npm run dev\` and the tests read \`NATS_SERVER\` (the path of a nats-server to use) and
\`ISOMORPH_CACHE\` (where an obtained one is kept; default \`.cache\`). \`ISOMORPH_DEBUG=1\` lets the command line show
stack traces. With \`SECRETS_URL=env:\` the secret \`NAME\` is the variable \`ISOMORPH_SECRET_NAME\`.
`;
}

export const PAGES: Readonly<Record<string, () => string>> = {
  'docs/errors.md': errorsPage,
  'docs/configuration.md': configurationPage,
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [page, render] of Object.entries(PAGES)) {
    await writeFile(fileURLToPath(new URL(`../${page}`, import.meta.url)), render());
  }
}
