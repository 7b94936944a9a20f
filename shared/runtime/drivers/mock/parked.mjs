/**
 * What `mock` starts ahead of a job (ADR 125): Node and those parts of it that processors use, nothing of any plan or
 * processor. One line on file descriptor 3 says what to become; then the processor runs as if Node had been started for it.
 * Standard input is the file of the job, which nobody but the processor reads.
 */
import { closeSync, readSync } from 'node:fs';
import Module from 'node:module';

const ORDERS = 3;
const CHUNK_BYTES = 65_536;
const LINE_FEED = 0x0a;

/** Node loads these when first asked, which is most of what a processor waits for after its start. */
async function warmUp() {
  await Promise.all([
    import('node:child_process'),
    import('node:crypto'),
    import('node:fs/promises'),
    import('node:readline'),
    import('node:stream/promises'),
  ]);
  // Loads what `fetch` is made of, without a connection.
  await (await fetch('data:,')).text();
}

/** Waits in the system call: a process that is parked takes no CPU at all. */
function orders() {
  /** @type {Buffer[]} */
  const chunks = [];
  for (;;) {
    const chunk = Buffer.alloc(CHUNK_BYTES);
    const length = readSync(ORDERS, chunk);
    // Whoever parked us is no more. With the shell around us, which else writes an exit code: nothing has run.
    if (length === 0) process.kill(0, 'SIGKILL');
    chunks.push(chunk.subarray(0, length));
    if (chunk[length - 1] === LINE_FEED) return Buffer.concat(chunks).toString('utf8');
  }
}

await warmUp();
/** @type {{ cwd: string, env: Record<string, string>, program: string, rest: string[] }} */
const { cwd, env, program, rest } = JSON.parse(orders());
closeSync(ORDERS);
process.chdir(cwd);
Object.assign(process.env, env);
process.argv = [process.execPath, program, ...rest];
// As the main module: `require.main` and `import.meta.main` are the processor's.
Module.runMain(program);
