/** The control plane of the tests in a process of its own: tells its environment in one line, serves until its input ends. */
import { ControlPlane } from '../../test/harness/modal/control-plane.ts';

const plane = new ControlPlane();
await plane.start();
process.stdout.write(`${JSON.stringify(plane.environment)}\n`);
process.stdin.resume();
process.stdin.once('end', () => {
  plane.stop().then(() => process.exit(0));
});
