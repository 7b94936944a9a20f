import { type JsMsg, jetstreamManager } from '@nats-io/jetstream';
import type { TellLimit } from '../../shared/async/limit-notice.ts';
import { type Fault, fault } from '../../shared/errors/isomorph-error.ts';
import { Journal } from '../../shared/journal/journal.ts';
import type { Judge } from '../../shared/judge/judge.ts';
import { ageS, type Consumption } from '../../shared/nats/consume.ts';
import { type Disposition, DONE, giveUp } from '../../shared/nats/disposition.ts';
import { END_GRACE_MS } from '../../shared/plan/due.ts';
import type { Registry } from '../../shared/registry/registry.ts';
import type { SecretResolver } from '../../shared/secrets/secrets.ts';
import { ALARMS_STREAM } from '../../shared/wire/alarms.ts';
import { PRINCIPAL_FORM, parseCommandSubject } from '../../shared/wire/commands.ts';
import { CONSUMERS } from '../../shared/wire/consumers.ts';
import type { ArtifactStore } from '../../shared/world/artifact-store.ts';
import { Alarms, roomForAlarms } from '../common/alarms.ts';
import type { Limits } from '../common/config/limits.ts';
import { consumeFor } from '../common/consume.ts';
import type { ServiceDeps } from '../common/deps.ts';
import { parseCancel, parseSubmission, planOfCommand, type Submission } from './command.ts';
import {
  decideCancel,
  decideSubmit,
  idIsFree,
  type Ruling,
  ruleOn,
  type StoredDocument,
  type Submit,
  type SubmitDecision,
  wakeAt,
} from './decide.ts';
import { Gate, type PlaceInLine } from './gate.ts';
import { type KnownImages, lookUpImages } from './images.ts';
import { type KnownJudgements, lookUpJudgements } from './judgements.ts';
import { namedSteps } from './named.ts';
import { CommandOrder } from './order.ts';
import { Refusals } from './refusals.ts';
import { validatePlan } from './resolve-plan.ts';
import type { Deployment } from './resolve-step.ts';
import { type KnownSecrets, lookUpSecrets } from './secrets.ts';

export interface AdmissionDeps extends ServiceDeps {
  readonly store: ArtifactStore;
  readonly registry: Registry;
  readonly deployment: Omit<Deployment, keyof KnownSecrets | keyof KnownImages | keyof KnownJudgements>;
  readonly secrets: SecretResolver;
  readonly judge: Judge;
  readonly declareLeases: boolean;
  /** Principals who may cancel plans of others. */
  readonly operators: readonly string[];
  readonly limits: Limits;
  readonly tellLimit: TellLimit;
}

/** Commands that are judged at once; beyond them each principal has its first plan and its first cancellation. */
export const CONCURRENCY = 16;

/** Of them those that wait for what is costly to judge, however many principals there are: the others go on beside them. */
export const MOST_SLOW = 12;

/** A command outlives an outage of a long weekend; then its sender is told that nothing came of it. */
const PATIENCE_S = 4 * 86_400;

/** A command that waits for one before it looks again after this, and the longer it has waited the more seldom, to so many times this. */
const WAIT_MS = 1_000;
const MOST_WAITS = 5;

/** What an alarm takes in its stream, beside what the server adds. */
const ALARM_BYTES = 200;

/** A document that is no plan is refused for that. */
const NOT_ASKED: KnownJudgements = { faultsAt: () => [] };

class Admission {
  readonly #deps: AdmissionDeps;
  readonly #journal: Journal;
  readonly #order: CommandOrder;
  readonly #gate: Gate;
  readonly #alarms: Alarms;
  readonly #alarmRoom: ReturnType<typeof roomForAlarms>;
  readonly #refusals: Refusals;
  readonly #plans = new WeakMap<JsMsg, { readonly planId: string | undefined }>();

  constructor(deps: AdmissionDeps, alarmRoom: ReturnType<typeof roomForAlarms>) {
    this.#deps = deps;
    this.#alarmRoom = alarmRoom;
    this.#journal = new Journal({ ...deps, by: 'admission' });
    this.#order = new CommandOrder(deps.connection);
    this.#gate = new Gate(deps);
    this.#alarms = new Alarms(deps.connection);
    this.#refusals = new Refusals({ perS: deps.limits.refusalsOfPrincipal, tell: deps.tellLimit });
  }

  /** The plan that a command speaks of; undefined when it names none. */
  planOf(message: JsMsg): string | undefined {
    const known = this.#plans.get(message) ?? { planId: planOfCommand(message.data) };
    this.#plans.set(message, known);
    return known.planId;
  }

  /** Of one plan only what its principal asks for waits here: nobody else can hold up what is asked of a plan that runs. */
  keyOf(message: JsMsg): string {
    const planId = this.planOf(message);
    const { principal } = parseCommandSubject(message.subject) ?? {};
    return planId === undefined ? `command ${message.seq}` : `${planId} ${principal}`;
  }

  delivered(message: JsMsg): void {
    this.#order.delivered(message.seq, this.planOf(message));
  }

  /** Later commands of its plan wait for it. */
  isAwaited(message: JsMsg): boolean {
    const planId = this.planOf(message);
    return planId !== undefined && this.#order.isAwaited(planId, message.seq);
  }

  answered({ seq }: JsMsg): void {
    this.#order.answered(seq);
  }

  async handle(message: JsMsg): Promise<Disposition> {
    const whose = parseCommandSubject(message.subject)?.principal ?? NOBODY;
    const delayMs = this.#refusals.waitMs(whose, message.seq);
    if (delayMs > 0) return { kind: 'later', delayMs };
    const disposition = await this.#judge(message);
    if (disposition.kind === 'dead') this.#refusals.refused(whose, message.seq);
    return disposition;
  }

  async #judge(message: JsMsg): Promise<Disposition> {
    const planId = this.planOf(message);
    if (planId !== undefined && !(await this.#isNext(planId, message.seq))) {
      const { log, nowMs } = this.#deps;
      log.info(
        { plan_id: planId, seq: message.seq, age_s: ageS(message, nowMs()) },
        'a command waits for one stored before it',
      );
      return { kind: 'later', delayMs: WAIT_MS * Math.min(message.info.deliveryCount, MOST_WAITS) };
    }
    const { name, principal } = parseCommandSubject(message.subject) ?? {};
    if (principal === undefined) return giveUp(noPrincipal(message.subject), planId);
    return name === 'cancel' ? this.#cancel(message, principal) : this.#submit(message, principal);
  }

  /**
   * Commands of one plan are judged in the order in which they were stored, whichever copy of admission has them. Once a plan
   * has the id, what waits before can change nothing: a cancellation does not wait for a store. What a plan is that this
   * version cannot read, it says at once.
   */
  async #isNext(planId: string, seq: number): Promise<boolean> {
    if (await this.#order.isFirst(planId, seq)) return true;
    const { state } = await this.#journal.load(planId, Number.POSITIVE_INFINITY);
    return !idIsFree(state, seq);
  }

  async #submit({ data, seq: commandSeq }: JsMsg, principal: string): Promise<Disposition> {
    const parsed = parseSubmission(data);
    if (!parsed.ok) return giveUp(parsed.fault, parsed.planId);
    const submission = parsed.value;
    const { planId } = submission;
    const isNew = idIsFree((await this.#journal.load(planId)).state, commandSeq);
    // Before anything is spent on it.
    const refused = isNew ? await this.#gate.refusesPlan(principal) : undefined;
    if (refused !== undefined) return giveUp(refused, planId);
    const ruling = await this.#rule(submission, principal);
    const place = isNew ? await this.#place(submission, ruling, principal) : undefined;
    if (place !== undefined && 'code' in place) return giveUp(place, planId);
    const decision = await this.#record(submission, ruling, { principal, commandSeq }).catch((error: unknown) => {
      place?.release();
      throw error;
    });
    if (decision.kind !== 'admitted') place?.release();
    if (decision.kind === 'conflict') return giveUp(decision.fault, planId);
    this.#deps.log.info({ plan_id: planId, decision: decision.kind }, 'submission');
    return DONE;
  }

  /** Where there is room for what the plan leaves: itself, or its rejection. */
  #place({ planId, body }: Submission, { admitted, faults }: Ruling, principal: string): Promise<PlaceInLine | Fault> {
    if (admitted === undefined) return this.#gate.takeRejection(principal, body.byteLength, faults[0]);
    const { steps, predicates } = admitted.plan;
    return this.#gate.take(planId, principal, { steps: steps.length, predicates: predicates.length });
  }

  async #rule(submission: Submission, principal: string): Promise<Ruling> {
    const { connection, registry, deployment, secrets, judge } = this.#deps;
    const steps = namedSteps(submission.document, registry);
    const plan = validatePlan(submission.document);
    const [knownSecrets, knownImages, knownJudgements] = await Promise.all([
      lookUpSecrets(secrets, steps),
      lookUpImages(connection, steps, deployment),
      plan.ok ? lookUpJudgements(judge, principal, plan.value, registry) : NOT_ASKED,
    ]);
    return ruleOn(submission, registry, { ...deployment, ...knownSecrets, ...knownImages, ...knownJudgements });
  }

  async #record(
    { planId }: Submission,
    ruling: Ruling,
    whose: Pick<Submit, 'principal' | 'commandSeq'>,
  ): Promise<SubmitDecision> {
    const { declareLeases } = this.#deps;
    const nowMs = this.#deps.nowMs();
    const { submitted, admitted } = ruling;
    await Promise.all([
      this.#put(submitted),
      ...(admitted === undefined ? [] : [this.#put(admitted.document), this.#wake(planId, wakeAt(admitted, nowMs))]),
    ]);
    const command = { ruling, ...whose, nowMs, declareLeases };
    return (await this.#journal.append(planId, decideSubmit, command)).decision;
  }

  async #cancel({ data, seq: commandSeq }: JsMsg, principal: string): Promise<Disposition> {
    const parsed = parseCancel(data);
    if (!parsed.ok) return giveUp(parsed.fault, parsed.planId);
    const command = { commandSeq, principal, operators: this.#deps.operators };
    const { state } = await this.#journal.load(parsed.value);
    // Whoever runs what the plan has open is not waited for longer.
    if (decideCancel(state, command).drafts.length > 0) {
      await this.#alarms.set(parsed.value, this.#deps.nowMs() + END_GRACE_MS);
    }
    const { decision } = await this.#journal.append(parsed.value, decideCancel, command);
    return decision.refused === undefined ? DONE : giveUp(decision.refused, parsed.value);
  }

  /** The alarm of a new plan is stored before the plan is admitted. @throws ERR_LIMIT, ERR_UNAVAILABLE */
  async #wake(planId: string, dueMs: number): Promise<void> {
    await this.#alarmRoom.take(ALARMS_STREAM, ALARM_BYTES);
    await this.#alarms.set(planId, dueMs);
  }

  async #put(document: StoredDocument): Promise<void> {
    const { path: worldPath, bytes } = document;
    await this.#deps.store.putBytes({ worldPath, data: bytes, contentType: 'application/json' });
  }
}

/** In whose name nobody can command. */
const NOBODY = 'nobody';

const noPrincipal = (subject: string): Fault =>
  fault('ERR_PRINCIPAL', `${subject} names nobody who could command`, { expected: PRINCIPAL_FORM });

/** Principals take turns, and of each one its cancellations wait for none of its plans but their own. */
function whoseOf({ subject }: JsMsg): string {
  const { name, principal } = parseCommandSubject(subject) ?? {};
  return principal === undefined ? NOBODY : `${name} of ${principal}`;
}

/** Gates commands: each becomes a commit of its plan's ledger, or a dead letter. */
export async function startAdmission(deps: AdmissionDeps): Promise<Consumption> {
  const manager = await jetstreamManager(deps.connection, { checkAPI: false });
  const admission = new Admission(deps, roomForAlarms(manager));
  return consumeFor(deps, {
    consumer: CONSUMERS.admission,
    concurrency: CONCURRENCY,
    patienceS: PATIENCE_S,
    keyOf: (message) => admission.keyOf(message),
    planOf: (message) => admission.planOf(message),
    whoseOf,
    principalOf: async ({ subject }) => parseCommandSubject(subject)?.principal,
    delivered: (message) => admission.delivered(message),
    isAwaited: (message) => admission.isAwaited(message),
    answered: (message) => admission.answered(message),
    handle: (message) => admission.handle(message),
  });
}
