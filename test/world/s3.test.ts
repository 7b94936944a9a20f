import { available, startCeph } from '../harness/servers/index.ts';
import { s3Conformance } from './s3-store.ts';

s3Conformance('Ceph RGW', await available('ceph'), startCeph);
