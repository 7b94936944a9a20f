import { makeFileStore } from '../world/file-store.ts';
import { endConformance } from './asleep.ts';

endConformance('file', makeFileStore);
