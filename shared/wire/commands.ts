import { ANONYMOUS, PRINCIPAL } from '../ledger/events.ts';

export const COMMANDS_STREAM = 'COMMANDS';

/** What clients ask for: a plan, and its end. */
export const COMMANDS = ['submit', 'cancel'] as const;
export type CommandName = (typeof COMMANDS)[number];

/** On these whoever has no name of its own commands. */
export const ANONYMOUS_SUBJECTS: readonly string[] = COMMANDS.map((name) => `plans.${name}`);

/** Every subject of a command, `plans.<principal>.<command>` beside those without a principal. */
export const COMMAND_SUBJECTS: readonly string[] = [
  ...ANONYMOUS_SUBJECTS,
  ...COMMANDS.map((name) => `plans.*.${name}`),
];

/** Whether a token names who commands. `_` stands for nobody where dead letters are filed. */
export const isPrincipal = (text: string): boolean => PRINCIPAL.test(text) && text !== '_';

export const PRINCIPAL_FORM = 'a principal of a-z, 0-9, _ and -, at most 63 of them, and not _ alone';

export const commandSubject = (name: CommandName, principal = ANONYMOUS): string =>
  principal === ANONYMOUS ? `plans.${name}` : `plans.${principal}.${name}`;

/** What a subject says of a command; its principal is undefined when the token is none. */
export interface Addressed {
  readonly name: CommandName;
  readonly principal: string | undefined;
}

/** Undefined for a subject that is none of {@link COMMAND_SUBJECTS}. */
export function parseCommandSubject(subject: string): Addressed | undefined {
  const [root, ...tokens] = subject.split('.');
  const [principal = ANONYMOUS, last] = tokens.length === 1 ? [ANONYMOUS, ...tokens] : tokens;
  const name = COMMANDS.find((one) => one === last);
  if (root !== 'plans' || tokens.length > 2 || name === undefined) return undefined;
  return { name, principal: isPrincipal(principal) ? principal : undefined };
}
