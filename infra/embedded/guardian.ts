/**
 * The guardian: a shell that reads a pipe whose other end only the owner of the stack holds. When the owner ends without
 * saying `release` (kill -9, out of memory), the pipe closes and the guardian stops the servers that were named to it. It has a
 * session of its own, so that neither Ctrl-C nor the end of the terminal reaches it.
 */
import { spawn } from 'node:child_process';

export interface Guardian {
  /** From now on this process is stopped if the owner dies. */
  watch(pid: number, stopSignal: NodeJS.Signals): void;
  /** The process has ended; its pid may come to mean another. */
  forget(pid: number): void;
  /** The owner has stopped everything itself. */
  release(): void;
}

/** Asks with each server's own signal, waits up to ten seconds, then kills. */
const SCRIPT = `
trap '' HUP INT TERM
pids=
while read -r verb pid signal; do
  case $verb in
    watch) pids="$pids $pid:$signal" ;;
    forget) kept=; for entry in $pids; do [ "\${entry%%:*}" = "$pid" ] || kept="$kept $entry"; done; pids=$kept ;;
    release) exit 0 ;;
  esac
done
for entry in $pids; do kill -s "\${entry##*:}" "\${entry%%:*}" 2>/dev/null; done
tries=100
while [ $tries -gt 0 ]; do
  living=
  for entry in $pids; do kill -0 "\${entry%%:*}" 2>/dev/null && living=yes; done
  [ -z "$living" ] && exit 0
  sleep 0.1
  tries=$((tries - 1))
done
for entry in $pids; do kill -s KILL "\${entry%%:*}" 2>/dev/null; done
`;

export function startGuardian(): Guardian {
  const shell = spawn('/bin/sh', ['-c', SCRIPT], { detached: true, stdio: ['pipe', 'ignore', 'ignore'], cwd: '/' });
  // A guardian that died is missed only if the owner dies too; then the next start finds what is left.
  shell.on('error', () => undefined);
  shell.stdin.on('error', () => undefined);
  shell.unref();
  const say = (line: string): void => {
    if (!shell.stdin.destroyed) shell.stdin.write(`${line}\n`);
  };
  return {
    watch: (pid, stopSignal) => say(`watch ${pid} ${stopSignal.slice('SIG'.length)}`),
    forget: (pid) => say(`forget ${pid}`),
    release: () => {
      say('release');
      shell.stdin.end();
    },
  };
}
