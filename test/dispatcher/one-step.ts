import { given } from '../ledger/given.ts';
import { admittedChain, type Chain, scheduled, started } from '../ledger/plan-history.ts';
import { planOf, step } from '../plan/admitted-plan.ts';

export const RESERVE = 400;
export const ID = 'plan.train.1';
export const INPUT = '/artifacts/outputs/plan/clean/table.csv';
export const ONE_STEP = planOf([step('train')]);

export const dispatcher = (chain: Chain) => given(chain, 'dispatcher');
export const scheduledChain = (): Chain =>
  admittedChain('plan').append('dispatcher', scheduled('plan', 'train', 1, RESERVE));
export const startedChain = (): Chain => scheduledChain().append('dispatcher', [started(ID)]);
