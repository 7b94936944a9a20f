import { planOfPath, receiptPath } from '../../ids/ids.ts';
import { isCanonicalKey, keyOf } from '../../ids/world-path.ts';
import { plural } from '../../text/plural.ts';
import type { LedgerEvent } from '../events.ts';
import { missingSteps } from './plan.ts';
import { rule } from './rule.ts';

type OfFact = Extract<LedgerEvent, { data: { fact_id: string } }>['kind'];

export const canonicalPath = rule<'artifact.written'>(
  'canonicalPath',
  'its path is in canonical form',
  (_, { data: { path } }) => (isCanonicalKey(keyOf(path)) ? undefined : `${path} is not in canonical form`),
);

// Plans that version 1 admitted were free to write there.
export const inNoOtherPlansFolder = rule<'artifact.written'>(
  'inNoOtherPlansFolder',
  "it lies in no folder that is another plan's by name: `outputs`, `executions`, `plans`, `metrics`",
  ({ planId, admitted }, { data: { path } }) => {
    const owner = planOfPath(path);
    return owner === undefined || owner === planId || admitted?.predicates === null
      ? undefined
      : `${path} is of the plan ${owner}`;
  },
);

export const ofAnExecution = rule<'artifact.written'>(
  'ofAnExecution',
  'it is of an execution: of the dispatcher while that runs, its receipt of the settler after its end',
  ({ planId, executions }, { by, data: { execution_id: id, path } }) => {
    const execution = executions.get(id ?? '');
    if (id === undefined || execution === undefined) return `no execution ${id}`;
    if (execution.settled !== undefined) return `${id} is settled`;
    if (by === 'settler') {
      if (execution.end === undefined) return `${id} has not ended`;
      return path === receiptPath(planId, id) ? undefined : `${path} is not the receipt of ${id}`;
    }
    if (path === receiptPath(planId, id)) return `the receipt of ${id} is written by the settler`;
    if (execution.started === undefined) return `${id} has not started`;
    return execution.end === undefined ? undefined : `${id} has already ended as ${execution.end.status}`;
  },
);

export const immutable = rule<'artifact.written'>(
  'immutable',
  'its path has no other CID',
  ({ artifacts }, { data: { path, cid } }) =>
    (artifacts.get(path)?.cid ?? cid) === cid ? undefined : `${path} is immutable`,
);

export const afterEveryStep = rule<'predicate.checked'>('afterEveryStep', 'every step has succeeded', (state) =>
  missingSteps(state),
);

export const noMoreThanAdmitted = rule<'predicate.checked'>(
  'noMoreThanAdmitted',
  'the plan has as many predicates',
  ({ admitted, predicates }) => {
    const all = admitted?.predicates ?? undefined;
    return all === undefined || predicates.length < all ? undefined : `the plan has ${plural(all, 'predicate')}`;
  },
);

export const checkedOnce = rule<'predicate.checked'>(
  'checkedOnce',
  'it was not checked before',
  ({ predicates }, { data: { pointer } }) =>
    predicates.some((checked) => checked.pointer === pointer) ? `${pointer} was checked already` : undefined,
);

export const recordedOnce = rule<OfFact>('recordedOnce', 'its fact_id is new', ({ facts }, { data }) =>
  facts.has(data.fact_id) ? `fact ${data.fact_id} is already recorded` : undefined,
);
