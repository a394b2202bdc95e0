/**
 * Keeps a page as new as the server's: asks for it again and changes only what differs, so that nothing flickers and scroll
 * position, focus and what a reader has opened stay. It runs in the browser, and asks the server that gave it out alone.
 */
import { Idiomorph } from './idiomorph.js';

const EVERY_MS = 2_000;

let tag: string | null = null;
let asking = false;

const clock = (): string => new Date().toLocaleTimeString();

function say(words: string): void {
  const line = document.getElementById('refreshed');
  if (line !== null && line.textContent !== words) line.textContent = words;
}

/** Asks whether the page has changed, and shows it if so. */
async function refresh(): Promise<void> {
  if (asking || document.hidden) return;
  asking = true;
  try {
    const answer = await fetch(location.pathname, { headers: { 'x-ropesweep-refresh': '1', ...(tag === null ? {} : { 'if-none-match': tag }) }, cache: 'no-store' });
    if (answer.status === 200) {
      const isFirst = tag === null;
      tag = answer.headers.get('etag');
      show(await answer.text());
      say(isFirst ? `Shown as of ${clock()}; refreshes itself.` : `Refreshed at ${clock()}.`);
    } else if (answer.status !== 304) {
      say(`Not refreshed at ${clock()}: ${(await answer.text()).trim()}`);
    }
  } catch {
    say(`ropesweep open does not answer; what is shown may be old (${clock()}).`);
  } finally {
    asking = false;
  }
}

function show(page: string): void {
  const fresh = new DOMParser().parseFromString(page, 'text/html');
  document.title = fresh.title;
  void Idiomorph.morph(document.body, [...fresh.body.childNodes], {
    morphStyle: 'innerHTML',
    callbacks: {
      // What is alike is passed over whole; the line that says when is this script's own.
      beforeNodeMorphed: (old, next) => !old.isEqualNode(next) && old.id !== 'refreshed',
      beforeAttributeUpdated: (name, element) => !(name === 'open' && element.tagName === 'DETAILS'),
    },
  });
}

setInterval(() => void refresh(), EVERY_MS);
document.addEventListener('visibilitychange', () => void refresh());
void refresh();
