export type { InputHandle, OutputHandle, ProcessorContext } from './context.ts';
export { BadInputError, ProcessorError, type ProcessorErrorOptions, TransientError } from './errors.ts';
export type { Job, JobInput, JobOutput } from './job.ts';
export type { Report } from './reports.ts';
export { runProcessor } from './run.ts';
