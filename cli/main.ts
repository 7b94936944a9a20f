import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { IsomorphError } from '../shared/errors/isomorph-error.ts';
import { Context } from './context.ts';
import { Output } from './output.ts';
import { PROJECT } from './place.ts';
import { processTerminal, type Terminal } from './terminal.ts';

/** Exit codes: it worked; the plan or the check failed; the command line was wrong. */
const EXIT = { ok: 0, failed: 1, usage: 2 } as const;

const AS_PRINCIPAL = 'who commands; default: ISOMORPH_PRINCIPAL, else anonymous';

type Run = (context: Context) => Promise<number>;

/** Where a parsed command line leaves what is to be run. */
interface Chosen {
  run: Run | undefined;
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('a whole number from 1 is expected.');
  return value;
}

/** Help and options only; what a command does is loaded when it runs. */
function addPlans(program: Command, chosen: Chosen): void {
  program
    .command('dev')
    .description('run the embedded stack here until Ctrl-C')
    .action(() => {
      chosen.run = async (context) => (await import('./commands/dev.ts')).dev(context);
    });
  program
    .command('demo')
    .description('run an example plan on a stack of its own: timeline, receipts, verification, outputs')
    .option('--keep', 'leave the stack up afterwards, until Ctrl-C')
    .option('--adapter <name>', 'runtime to run the steps on: mock, local or modal')
    .action((options) => {
      chosen.run = async (context) => (await import('./commands/demo.ts')).demo(context, options);
    });
  program
    .command('submit <file>')
    .description('submit a plan (YAML or JSON; - is standard input)')
    .option('--wait', 'follow it to its end; exit 0 only when it succeeded')
    .option('--plan-id <id>', 'instead of the plan_id of the file')
    .option('--adapter <name>', 'instead of the adapter of the file')
    .option('--principal <name>', AS_PRINCIPAL)
    .action((file: string, options) => {
      chosen.run = async (context) => (await import('./commands/submit.ts')).submit(context, file, options);
    });
  program
    .command('cancel <plan>')
    .description('cancel a plan')
    .option('--wait', 'follow it to its end')
    .option('--principal <name>', AS_PRINCIPAL)
    .action((plan: string, options) => {
      chosen.run = async (context) => (await import('./commands/cancel.ts')).cancel(context, plan, options);
    });
  program
    .command('watch [plan]')
    .description('show a plan from its start to its end, or everything that happens from now on')
    .option('--all', 'every event of the ledger, one a line')
    .action((plan: string | undefined, options) => {
      chosen.run = async (context) => (await import('./commands/watch.ts')).watch(context, plan, options);
    });
  program
    .command('plans')
    .description('list plans, the newest first')
    .option('--limit <count>', 'at most so many', positive, 30)
    .action((options) => {
      chosen.run = async (context) => (await import('./commands/plans.ts')).plans(context, options);
    });
  program
    .command('dead [plan]')
    .description('list what was refused or given up, of all plans or of one, the newest last')
    .option('--principal <name>', 'of this principal only')
    .option('--limit <count>', 'at most so many', positive, 30)
    .action((plan: string | undefined, options) => {
      chosen.run = async (context) => (await import('./commands/dead.ts')).dead(context, plan, options);
    });
  program
    .command('show <plan>')
    .description('everything about one plan: steps, outputs, predicates, faults, budget, receipts')
    .action((plan: string) => {
      chosen.run = async (context) => (await import('./commands/show.ts')).show(context, plan);
    });
}

function addArtifacts(program: Command, chosen: Chosen): void {
  const artifact = program.command('artifact').description('the artifacts of the World');
  artifact
    .command('put <file> <worldpath>')
    .description('store a file (- is standard input) at a WorldPath')
    .option('--content-type <type>', 'default: by the ending of the name')
    .action((file: string, worldPath: string, options) => {
      chosen.run = async (context) => (await import('./commands/artifact.ts')).put(context, file, worldPath, options);
    });
  artifact
    .command('get <worldpath>')
    .description('fetch and verify an artifact into a file')
    .option('-o, --output <file>', 'default: its own name; - is standard output')
    .option('--cid <cid>', 'what it must hash to')
    .action((worldPath: string, options) => {
      chosen.run = async (context) => (await import('./commands/artifact.ts')).get(context, worldPath, options);
    });
  artifact
    .command('cat <worldpath>')
    .description('write an artifact to standard output')
    .option('--cid <cid>', 'what it must hash to')
    .action((worldPath: string, options) => {
      chosen.run = async (context) => (await import('./commands/artifact.ts')).cat(context, worldPath, options);
    });
  artifact
    .command('ls [prefix]')
    .description('list artifacts')
    .action((prefix: string | undefined) => {
      chosen.run = async (context) => (await import('./commands/artifact.ts')).ls(context, prefix ?? '/artifacts/');
    });
  artifact
    .command('stat <worldpath>')
    .description('size, type and digests of an artifact')
    .action((worldPath: string) => {
      chosen.run = async (context) => (await import('./commands/artifact.ts')).stat(context, worldPath);
    });
}

function addLedger(program: Command, chosen: Chosen): void {
  const ledger = program.command('ledger').description('the hash-chained ledger');
  ledger
    .command('export <plan>')
    .description('the events of a plan exactly as stored, one canonical event a line')
    .option('-o, --output <file>', 'default: standard output')
    .action((plan: string, options) => {
      chosen.run = async (context) => (await import('./commands/ledger.ts')).exportLedger(context, plan, options);
    });
  ledger
    .command('verify [file]')
    .description('verify an export without any server (- is standard input), or the whole live ledger')
    .option('--open', 'the plan may still run: a chain that has not ended is no finding')
    .option('--head <hash>', 'what the last event must hash to')
    .option('--world', 'compare with the admitted plans in the World too')
    .option('--admitted <file>', 'compare with the admitted plan in this file too')
    .action((file: string | undefined, options) => {
      chosen.run = async (context) => (await import('./commands/ledger.ts')).verify(context, file, options);
    });
  ledger
    .command('head [plan]')
    .description('the hash that a copy of the ledger must end in')
    .action((plan: string | undefined) => {
      chosen.run = async (context) => (await import('./commands/ledger.ts')).head(context, plan);
    });
  ledger
    .command('hash <plan> <names...>')
    .description('how the ledger tells keys and topics of scratch that it does not tell as they are')
    .option('--key <file>', 'the key of the gateway; default: that of the stack or of ARTIFACTS_GATEWAY_KEY_FILE')
    .action((plan: string, names: string[], options) => {
      chosen.run = async (context) =>
        (await import('./commands/hash-names.ts')).hashNames(context, plan, names, options);
    });
}

function addChecks(program: Command, chosen: Chosen): void {
  program
    .command('fsck')
    .description('compare ledger, Postgres and artifacts with each other')
    .option('--quick', 'believe the store what it recorded of an artifact, instead of hashing its bytes')
    .action((options) => {
      chosen.run = async (context) => (await import('./commands/fsck.ts')).fsckCommand(context, options);
    });
  const registry = program.command('registry').description('processors and policies');
  registry
    .command('list')
    .description('what plans may use')
    .action(() => {
      chosen.run = async (context) => (await import('./commands/registry.ts')).list(context);
    });
  registry
    .command('validate [folder]')
    .description('check every file of a registry')
    .action((folder: string | undefined) => {
      chosen.run = async (context) => (await import('./commands/registry.ts')).validate(context, folder);
    });
  registry
    .command('pin [refs...]')
    .description('write what each image is now into the registry files, so that a tag that moves is noticed')
    .action((refs: string[]) => {
      chosen.run = async (context) => (await import('./commands/registry.ts')).pinImages(context, refs);
    });
  addLimits(program, chosen);
  program
    .command('nats')
    .description('what nats-server is told')
    .command('config <namespace>')
    .description('the user of NATS for workers that serve processors of a namespace, for nats.conf')
    .action((namespace: string) => {
      chosen.run = async (context) => (await import('./commands/nats.ts')).natsConfig(context, namespace);
    });
  program
    .command('doctor')
    .description('check this machine and the stack that runs on it')
    .action(() => {
      chosen.run = async (context) => (await import('./commands/doctor.ts')).doctor(context);
    });
}

function addLimits(program: Command, chosen: Chosen): void {
  const limits = program.command('limits').description('what may be used at most, and how much of it is used');
  limits
    .command('list')
    .description('every limit as it holds, and whoever uses most of it')
    .action(() => {
      chosen.run = async (context) => (await import('./commands/limits.ts')).listLimits(context);
    });
  limits
    .command('set <name> <value>')
    .description('set a limit over what is configured, while all runs')
    .action((name: string, value: string) => {
      chosen.run = async (context) => (await import('./commands/limits.ts')).setLimit(context, name, value);
    });
  limits
    .command('unset <name>')
    .description('let a limit be as configured again')
    .action((name: string) => {
      chosen.run = async (context) => (await import('./commands/limits.ts')).unsetLimit(context, name);
    });
}

function leaves(command: Command): Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);
}

function version(): string {
  const manifest = JSON.parse(readFileSync(path.join(PROJECT, 'package.json'), 'utf8')) as { version: string };
  return manifest.version;
}

function buildProgram(terminal: Terminal, chosen: Chosen): Command {
  const program = new Command('isomorph')
    .description('Runs plans whose every effect is in a ledger that anyone can verify.')
    .version(version(), '-V, --version')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.stdout.write(text),
      // Thrown as an error of ours, and told once.
      writeErr: () => undefined,
      getOutHelpWidth: () => terminal.columns,
    })
    .helpCommand(false)
    .addHelpText('after', '\nExit codes: 0 it worked, 1 the plan or the check failed, 2 usage.');
  addPlans(program, chosen);
  addArtifacts(program, chosen);
  addLedger(program, chosen);
  addChecks(program, chosen);
  for (const command of leaves(program)) command.option('--json', 'for programs: JSON, one document a line');
  return program;
}

/** An error of commander as ours; undefined when it was help, which is an answer. */
function usageError(error: CommanderError): IsomorphError | undefined {
  if (error.exitCode === 0) return undefined;
  const message = error.code === 'commander.help' ? 'a command is missing' : error.message.replace(/^error: /, '');
  return new IsomorphError('ERR_USAGE', message, {}, error);
}

async function execute(run: Run, out: Output): Promise<number> {
  const context = new Context(out);
  try {
    return await run(context);
  } catch (error) {
    out.error(error);
    return error instanceof IsomorphError && error.code === 'ERR_USAGE' ? EXIT.usage : EXIT.failed;
  } finally {
    await context.close();
  }
}

/**
 * Runs one command line, without the names of program and script.
 * @returns the exit code: 0 it worked, 1 the plan or the check failed, 2 usage
 */
export async function main(argv: readonly string[], terminal: Terminal = processTerminal()): Promise<number> {
  const out = new Output(terminal, argv.includes('--json'));
  const chosen: Chosen = { run: undefined };
  const program = buildProgram(terminal, chosen);
  try {
    program.parse(argv.length === 0 ? ['--help'] : [...argv], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    const usage = usageError(error);
    if (usage === undefined) return EXIT.ok;
    out.error(usage);
    return EXIT.usage;
  }
  if (chosen.run === undefined) return EXIT.usage;
  return execute(chosen.run, out);
}
