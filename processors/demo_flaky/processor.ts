import { BadInputError, runProcessor, TransientError } from '../sdk/index.ts';

/** Fails on purpose while `attempt <= fail_attempts`, so that a plan can show what a retry does. */
await runProcessor(async (ctx) => {
  const { fail_attempts: failAttempts = 1 } = ctx.params;
  if (typeof failAttempts !== 'number' || !Number.isInteger(failAttempts) || failAttempts < 0) {
    throw new BadInputError('params.fail_attempts is no whole number from 0', { code: 'ERR_PARAMS' });
  }
  if (ctx.attempt <= failAttempts) {
    throw new TransientError(`fails on purpose: attempt ${ctx.attempt} of ${failAttempts} that should fail`);
  }
  const times = failAttempts === 1 ? 'once' : `${failAttempts} times`;
  const message =
    failAttempts === 0
      ? 'A step of this plan could have failed on purpose, but was not asked to.'
      : `A step of this plan failed ${times} on purpose, was tried again, and succeeded.`;
  await ctx.output('note.json').write(JSON.stringify({ fail_attempts: failAttempts, message }));
});
