/**
 * Where in the sweep file a value stands, so that every message of planning can name file, line and column.
 */
import type { SweepSpec } from '../domain/spec.js';

export type SpecPath = readonly (string | number)[];
/** `sweeps/demo.yaml:12:5 tasks[0].depths[2]` */
export type Places = (path: SpecPath) => string;

/** Kept beside the spec, not in it: a spec is a plain value that is stored and compared. */
const known = new WeakMap<SweepSpec, Places>();

export const rememberPlaces = (spec: SweepSpec, places: Places): void => {
  known.set(spec, places);
};

/** Of a spec that parseSpec made; any other has paths only. */
export const placesOf = (spec: SweepSpec): Places => known.get(spec) ?? pathText;

/** `tasks[0].depths[2]` */
export const pathText = (path: SpecPath): string =>
  path.reduce<string>((text, part) => (typeof part === 'number' ? `${text}[${part}]` : text === '' ? part : `${text}.${part}`), '');
