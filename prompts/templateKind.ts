/**
 * What a template brings to a prompt of text.
 */
import type { TemplateSpec } from '../domain/promptSpec.js';

export type TextTemplate = Extract<TemplateSpec, { kind: 'base' | 'chat' }>;

/** Token ids of a template, the same for every seed. */
export interface OpenTemplate {
  readonly headIds: readonly number[];
  /** Between question and answer prefix. */
  readonly tailIds: readonly number[];
}
