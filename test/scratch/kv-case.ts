import type { KvCapabilities } from '../../shared/scratch/capabilities.ts';
import type { Kv } from '../../shared/scratch/kv/kv.ts';
import type { Case } from './conformance.ts';

export type KvCase = Case<Kv, KvCapabilities>;
