import type { Processor } from '../../shared/plan/registry.ts';
import type { Registry } from '../../shared/registry/registry.ts';

/** A step of a document that may be anything, as far as it names a processor that there is. */
export interface NamedStep {
  readonly processor: Processor;
  readonly adapter: unknown;
}

/** What a document that nobody has judged yet names: what admission must ask others about before it judges. */
export function namedSteps(document: Readonly<Record<string, unknown>>, { processors }: Registry): NamedStep[] {
  const steps: readonly unknown[] = Array.isArray(document.steps) ? document.steps : [];
  return steps.flatMap((step): NamedStep[] => {
    const { processor: ref, adapter } = (step ?? {}) as { processor?: unknown; adapter?: unknown };
    const processor = typeof ref === 'string' ? processors.get(ref) : undefined;
    return processor === undefined ? [] : [{ processor, adapter: adapter ?? document.adapter }];
  });
}
