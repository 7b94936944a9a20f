/** Names that travel in subjects, paths and ids. One token each, so that `.` can join them. */

export const PLAN_ID = /^[a-z0-9][a-z0-9_-]{0,62}$/;
export const STEP_ID = PLAN_ID;
export const PROCESSOR_REF = /^[a-z0-9][a-z0-9-]{0,31}\/[a-z0-9][a-z0-9-]{0,31}@[1-9][0-9]{0,3}$/;

export const isPlanId = (text: unknown): text is string => typeof text === 'string' && PLAN_ID.test(text);

/** One attempt to run a step. Attempts count from 1. */
export const executionId = (planId: string, stepId: string, attempt: number): string =>
  `${planId}.${stepId}.${attempt}`;

/** `csv/profile@1` lives in `processors/csv_profile`. */
export const processorFolder = (ref: string): string => ref.replace('/', '_').replace(/@.*$/, '').replaceAll('-', '_');

export const outputPrefix = (planId: string, stepId: string): string => `/artifacts/outputs/${planId}/${stepId}/`;

export const executionFolder = (planId: string, id: string): string => `/artifacts/executions/${planId}/${id}/`;

export const receiptPath = (planId: string, id: string): string => `${executionFolder(planId, id)}determinism.json`;

/** The step that an execution id names; empty when it names none. */
export const stepOfExecution = (id: string): string => id.split('.')[1] ?? '';

/** The plan that an execution id names; empty when it names none. */
export const planOfExecution = (id: string): string => id.split('.')[0] ?? '';

/** Folders of the World that are shared out by name: what lies in one under the name of a plan is that plan's. */
const PLANS_OWN: ReadonlySet<string> = new Set(['outputs', 'executions', 'plans', 'metrics']);

/** The plan that a path belongs to by its name; undefined for one that is whose claim comes first. */
export function planOfPath(path: string): string | undefined {
  const [, facet, folder = '', name = ''] = path.split('/');
  return facet === 'artifacts' && PLANS_OWN.has(folder) && name !== '' ? name : undefined;
}
