/**
 * The child process that judges: `node bin/run.mjs judge <pid of its parent>`, with questions and answers on its channel. It has no
 * environment and no secrets, and ends with its parent, also while it is lost in a question.
 */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { PRACTICE } from './practice.ts';
import { answer, type Question } from './question.ts';

/** A thread of its own: this one may be busy for ever. The parent is named by itself, since it may be gone by now. */
const WATCH = `
const parent = ${Number(process.argv[2])};
const look = () => { if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL'); };
look();
setInterval(look, 1_000);
`;

try {
  // Where memory is short the kernel takes a judge, which is replaced, before a service.
  writeFileSync('/proc/self/oom_score_adj', '1000');
} catch {
  // No Linux, or it may not be written: the kernel chooses as it does.
}
const watch = new Worker(WATCH, { eval: true, resourceLimits: { maxOldGenerationSizeMb: 8 } });
await once(watch, 'online');
watch.unref();
for (const question of PRACTICE) answer(question);
process.on('disconnect', () => process.exit(0));
process.on('message', (question: Question) => process.send?.(answer(question)));
process.send?.('ready');
