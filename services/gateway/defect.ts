/** Deeper causes tell nothing more. */
const MAX_CAUSES = 5;

const CODE = /^[A-Z][A-Z0-9_]{0,63}$/;

/** The calls of a stack, without the message in front of them, which may have lines of its own. */
function callsOf({ stack = '', message }: Error): string[] {
  const start = stack.indexOf(message);
  if (start < 0) return [];
  const lines = stack.slice(start + message.length).split('\n');
  return lines.filter((line) => line.startsWith('    at ')).map((line) => line.trim());
}

function headOf(error: Error): string {
  const code = 'code' in error && typeof error.code === 'string' && CODE.test(error.code) ? ` ${error.code}` : '';
  return `${error.constructor.name}${code}`;
}

/**
 * What may be logged of a defect met for a processor: what was thrown and where, with its causes. Its words may not: a
 * driver's can repeat the key, the topic or the value that it was called with.
 */
export function traceOf(thrown: unknown): string[] {
  const trace: string[] = [];
  let error = thrown;
  for (let depth = 0; error instanceof Error && depth < MAX_CAUSES; depth++) {
    trace.push(headOf(error), ...callsOf(error));
    error = error.cause;
  }
  return trace;
}
