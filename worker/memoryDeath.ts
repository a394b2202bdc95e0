/**
 * How a process that died of memory is told from one that crashed: by its last words, and by the kernel's own count.
 */
import { readFileSync } from 'node:fs';
import type { Readable } from 'node:stream';

/** Characters kept of what a child wrote last: an abort writes a few lines, V8 a stack trace after them. */
const KEPT = 8192;

/** Passes a child's stderr on and keeps its end. @returns what was written last */
export function lastWords(stderr: Readable | null): () => string {
  let words = '';
  stderr?.setEncoding('utf8').on('data', (text: string) => {
    process.stderr.write(text);
    words = (words + text).slice(-KEPT);
  });
  return () => words;
}

/**
 * Processes beside this one that the kernel has killed for memory so far: of its memory cgroup (version 1 or 2), where
 * there is none of the whole machine; 0 where nothing tells.
 */
export function outOfMemoryKills(): number {
  const groups = readOr('/proc/self/cgroup', '');
  const folders = [/^\d+:memory:(.*)$/m, /^0::(.*)$/m].map((line) => line.exec(groups)?.[1] ?? '');
  const counts = [
    // The namespace of a container may hide the group's path and show the group itself as the root.
    ...[folders[0], ''].map((folder) => `/sys/fs/cgroup/memory${folder ?? ''}/memory.oom_control`),
    ...[folders[1], ''].map((folder) => `/sys/fs/cgroup${folder ?? ''}/memory.events.local`),
    '/proc/vmstat',
  ].map((file) => /^oom_kill (\d+)$/m.exec(readOr(file, ''))?.[1]);
  return Number(counts.find((count) => count !== undefined) ?? 0);
}

function readOr(file: string, otherwise: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return otherwise;
  }
}
