/**
 * Templates: the token ids around haystack and question. Special tokens are exactly those given here; splicing adds none.
 */
import { digest } from '../domain/identity.js';
import type { TemplateSpec } from '../domain/spec.js';

/** Raised when the same template puts other tokens into a prompt; part of the digest. */
const TEMPLATE_VERSION = 1;

export function templateDigest(template: TemplateSpec): string {
  return digest({ version: TEMPLATE_VERSION, template });
}
