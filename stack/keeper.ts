/**
 * Ends what this process started when this process is killed and cannot do so itself. A small shell waits at the end of a pipe, which
 * the system closes with us; then it ends each process it was told of, known by pid and start time, and all runs of `mock`, begun or parked.
 */
import { spawn } from 'node:child_process';
import type { Writable } from 'node:stream';

/** In the system's own notation as `startTimeOf` gives it. The runs are known by the HOME that only they have; only Linux tells. */
const SCRIPT = `
start_of() {
  if [ -d /proc/self ]; then sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20
  else echo $(ps -o lstart= -p "$1"); fi
}
all= runs=
while read -r kind rest; do
  case $kind in
    process) all="$all
$rest" ;;
    runs) runs=$rest ;;
  esac
done
each() {
  printf '%s\\n' "$all" | while read -r pid start; do
    [ -n "$pid" ] && [ "$(start_of "$pid")" = "$start" ] && kill "$1" "$pid" 2>/dev/null && echo alive
  done
}
each -TERM
if [ -n "$runs" ]; then
  for file in $(grep -lsF "HOME=$runs/" /proc/[0-9]*/environ); do
    process=\${file%/environ}
    kill -KILL "\${process#/proc/}"
  done 2>/dev/null
fi
tries=0
while [ $tries -lt 50 ] && [ -n "$(each -0)" ]; do sleep 0.1; tries=$((tries + 1)); done
each -KILL
`;

let keeper: Writable | undefined;

/**
 * From now on the processes that the stack adopts, and the runs of `mock`, end with this process also when it is killed.
 * @param runs the folder below which the runs have the homes that they were started with
 */
export function startKeeper(runs: string): void {
  keeper ??= startShell();
  keeper.write(`runs ${runs}\n`);
}

function startShell(): Writable {
  // A session of its own: what ends us as a group must spare it.
  const shell = spawn('/bin/sh', ['-c', SCRIPT, 'isomorph-keeper'], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const pipe = shell.stdin as Writable & { unref?(): void };
  // Without a shell there is nobody to tell, as before there was one.
  shell.on('error', () => undefined);
  pipe.on('error', () => undefined);
  shell.unref();
  pipe.unref?.();
  process.once('exit', () => shell.kill('SIGKILL'));
  return pipe;
}

/** A process of the stack. Without a keeper, as in a program that starts one server, the next start in its folder ends it. */
export function keepProcess(pid: number, startedAt: string): void {
  keeper?.write(`process ${pid} ${startedAt}\n`);
}
