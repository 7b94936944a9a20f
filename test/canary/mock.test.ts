import { canaryConformance } from './flow.ts';

canaryConformance({ adapter: 'mock' });
