/**
 * The pure core and the suites that guard it: only suites without servers and processes, since each runs once a mutant.
 * A suite named by a room guards every file of the room.
 */

interface Room {
  readonly suites: readonly string[];
  /** By file: the suites of that file alone. */
  readonly files: Readonly<Record<string, readonly string[]>>;
}

const ROOMS: Readonly<Record<string, Room>> = {
  'shared/ids': {
    suites: ['ids/ids', 'ids/refusals', 'world/selector', 'world/world-path'],
    files: {
      'adapter.ts': ['plan/plan-schema'],
      'characters.ts': [],
      'ids.ts': [],
      'image-reference.ts': [],
      'percent.ts': [],
      'selector.ts': [],
      'world-path.ts': [],
    },
  },
  'shared/ledger': {
    suites: [
      'ledger/chain',
      'ledger/envelope',
      'ledger/evolve',
      'ledger/golden',
      'ledger/legal',
      'ledger/legal-model',
      'ledger/meaning',
      'ledger/schemas',
      'ledger/verify',
    ],
    files: {
      'bounded-faults.ts': ['ledger/bounded-faults'],
      'chain.ts': [],
      'decider.ts': [],
      'envelope.ts': [],
      'events.ts': ['ledger/events-doc'],
      'evolve.ts': [],
      'legal.ts': [],
      'meaning.ts': [],
      'persistent.ts': ['ledger/persistent'],
      'reading.ts': ['ledger/reading'],
      'rules/budget.ts': ['ledger/events-doc'],
      'rules/executions.ts': ['ledger/events-doc'],
      'rules/plan.ts': ['ledger/events-doc'],
      'rules/records.ts': ['ledger/events-doc'],
      'rules/rule.ts': [],
      'state.ts': [],
      'verify.ts': [],
      'versions.ts': [],
    },
  },
  'shared/plan': {
    suites: [],
    files: {
      'admitted.ts': ['plan/progress', 'plan/audit'],
      'admitted-form.ts': ['plan/admitted-form', 'plan/audit'],
      'audit.ts': ['plan/audit', 'plan/impossible-histories'],
      'audit-rules.ts': ['plan/audit', 'plan/impossible-histories', 'ledger/events-doc'],
      'budget.ts': ['plan/budget'],
      'clear-names.ts': ['plan/clear-names'],
      'due.ts': ['plan/due'],
      'largest.ts': ['plan/largest'],
      'left.ts': ['plan/left'],
      'plan.ts': ['plan/plan-schema'],
      'predicates/artifact-exists.ts': ['plan/predicates'],
      'predicates/artifact-jmespath-ok.ts': ['plan/predicates'],
      'predicates/index.ts': ['plan/predicates'],
      'predicates/json-evidence.ts': ['plan/predicates'],
      'predicates/json-schema-ok.ts': ['plan/predicates'],
      'predicates/predicate.ts': ['plan/predicates'],
      'predicates/series-has-new.ts': ['plan/predicates'],
      'progress.ts': ['plan/progress', 'plan/audit'],
      'registry.ts': ['plan/registry-schema'],
      'requirements.ts': ['plan/requirements', 'plan/plan-schema'],
      'steps.ts': ['plan/steps', 'plan/progress', 'plan/audit'],
    },
  },
  'services/admission': {
    suites: [
      'admission/admitted',
      'admission/commands',
      'admission/decide',
      'admission/decide-cancel',
      'admission/policy',
      'admission/refusals',
      'admission/secrets',
    ],
    files: {
      'check-scratch.ts': [],
      'command.ts': [],
      'decide.ts': [],
      'judgements.ts': [],
      'named.ts': [],
      'needs-graph.ts': ['admission/needs-graph'],
      'quotas.ts': ['limits/quotas'],
      'resolve-plan.ts': [],
      'resolve-step.ts': [],
      'runtimes.ts': [],
      'secrets.ts': [],
      'sizes.ts': ['plan/largest'],
      'usage.ts': ['limits/quotas'],
    },
  },
  'services/dispatcher': {
    suites: [],
    files: {
      'decide.ts': ['dispatcher/decide', 'dispatcher/decide-start', 'dispatcher/decide-end'],
      'due.ts': ['dispatcher/due'],
      'effects.ts': ['dispatcher/effects'],
      'outcome.ts': ['dispatcher/outcome'],
      'queue-places.ts': ['dispatcher/decide'],
      'scrub.ts': ['secrets/scrub'],
    },
  },
  'services/settler': {
    suites: ['settler/ends'],
    files: {
      'decide.ts': ['settler/decide', 'settler/decide-plan-end'],
      'settlement.ts': ['settler/decide', 'settler/must-end'],
      'receipt.ts': ['settler/receipt'],
    },
  },
  'services/sampler': { suites: ['sampler/decide'], files: { 'decide.ts': [] } },
  'services/projector': {
    suites: [],
    files: { 'changes.ts': ['projector/changes'], 'decide.ts': ['projector/decide'] },
  },
  'services/gateway': {
    suites: [],
    files: {
      'bounded-facts.ts': ['gateway/bounded-facts'],
      'decide.ts': ['gateway/decide'],
      'defect.ts': ['gateway/defect'],
      'range.ts': ['gateway/range'],
      'scratch-requests.ts': ['gateway/scratch-requests'],
    },
  },
};

/** Pure, and yet no subject: the reason. */
export const LEFT_OUT: Readonly<Record<string, string>> = {
  'services/gateway/discard-rest.ts': 'reads a request of HTTP to its end; world/gateway has real ones',
};

/** By file of the pure core: its suites, as paths under `test/`. */
export const SUBJECTS: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries(ROOMS).flatMap(([room, { suites, files }]) =>
    Object.entries(files).map(([file, own]) => [
      `${room}/${file}`,
      [...new Set([...own, ...suites])].map((suite) => `${suite}.test.ts`),
    ]),
  ),
);

/** The pure core: every file of a room of `shared/` above, and of a service those that are named. The house rules read this too. */
export const isCore = (path: string): boolean =>
  SUBJECTS.has(path) || Object.keys(ROOMS).some((room) => room.startsWith('shared/') && path.startsWith(`${room}/`));
