export const COMMANDS_STREAM = 'COMMANDS';

/** On which clients ask for a plan, and for its end. */
export const SUBMIT_SUBJECT = 'plans.submit';
export const CANCEL_SUBJECT = 'plans.cancel';

export const COMMAND_SUBJECTS = [SUBMIT_SUBJECT, CANCEL_SUBJECT] as const;
export type CommandSubject = (typeof COMMAND_SUBJECTS)[number];
