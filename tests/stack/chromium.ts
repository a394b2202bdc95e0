/** A real browser for tests of pages, where the machine has one. */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium, type Browser } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const ELSEWHERE = ['/Applications/Google Chrome.app/Contents/MacOS/Google Chrome', '/Applications/Chromium.app/Contents/MacOS/Chromium'];

function find(): string | null {
  const configured = process.env['CHROME_PATH'];
  const onPath = (process.env['PATH'] ?? '').split(delimiter).flatMap((folder) => NAMES.map((name) => join(folder, name)));
  return [...(configured === undefined ? [] : [configured]), ...onPath, ...ELSEWHERE].find((file) => existsSync(file)) ?? null;
}

/** Chromium or Chrome: CHROME_PATH, or one of their names on PATH; null where there is none. */
export const CHROMIUM = find();

/** In a container there is often no sandbox to be had; what is opened are our own pages. */
export function launchChromium(): Promise<Browser> {
  if (CHROMIUM === null) throw new Error('there is no Chromium here');
  return chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });
}
