/** What the terminal can show: width, colours, characters. */
export type ColorMode = 'truecolor' | '256' | 'none';

export interface TerminalStyle {
  /** Width in characters. */
  readonly columns: number;
  readonly color: ColorMode;
  /** Only ASCII characters. */
  readonly ascii: boolean;
}

/** What is asked of process.stdout. */
export interface OutputStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly getColorDepth?: (env?: object) => number;
}

const COLOR_OF_DEPTH: Readonly<Record<number, ColorMode>> = { 24: 'truecolor', 8: '256' };

/**
 * What the stream can show. NO_COLOR (no-color.org), TERM and COLORTERM are heeded; what is no terminal gets no colour.
 * ASCII where TERM cannot show more or the locale names another character set than UTF-8.
 */
export function terminalStyle(stream: OutputStream, env: Readonly<Record<string, string | undefined>> = process.env): TerminalStyle {
  const hasColor = stream.isTTY === true && (env['NO_COLOR'] ?? '') === '';
  const locale = env['LC_ALL'] ?? env['LC_CTYPE'] ?? env['LANG'] ?? '';
  const configuredColumns = Number(env['COLUMNS']);
  return {
    columns: stream.columns ?? (Number.isInteger(configuredColumns) && configuredColumns > 0 ? configuredColumns : 80),
    color: hasColor ? (COLOR_OF_DEPTH[stream.getColorDepth?.(env) ?? 1] ?? 'none') : 'none',
    ascii: ['dumb', 'linux'].includes(env['TERM'] ?? '') || (/\.[^@]+/.test(locale) && !/\.utf-?8/i.test(locale)),
  };
}
