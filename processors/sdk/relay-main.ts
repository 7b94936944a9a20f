/** The relay as a program of its own, for a container that shares its network namespace: says when it listens, and stays. */
import { startRelay } from './relay.ts';

await startRelay();
process.stdout.write('listening\n');
process.stdin.resume();
