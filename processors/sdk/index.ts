export type { InputHandle, OutputHandle, ProcessorContext } from './context.ts';
export { BadInputError, ProcessorError, type ProcessorErrorOptions, TransientError } from './errors.ts';
export type { Job, JobInput, JobOutput, JobScratch } from './job.ts';
export type { Report } from './reports.ts';
export { runProcessor } from './run.ts';
export type { KvClient, QueueClient, QueueMessage, QueueStats } from './scratch.ts';
export { type ServedProcessors, serveProcessors } from './serve.ts';
export type { ServeOptions } from './serve-options.ts';
