/**
 * Stands in for a tokenizer that is not there, where only lengths are asked for: a token to four bytes, about what
 * vocabularies of today make of English.
 */
import type { PromptTokenizer } from './tokenizer.js';

const BYTES_A_TOKEN = 4;
const encode = (text: string): number[] => Array.from({ length: Math.ceil(Buffer.byteLength(text) / BYTES_A_TOKEN) }, () => 0);

export const standInTokenizer: PromptTokenizer = {
  source: 'no tokenizer',
  bosIds: [0],
  bosToken: '',
  eosToken: '',
  chatTemplate: "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n",
  encode,
  encodeWithin: encode,
  decode: (ids) => '?'.repeat(BYTES_A_TOKEN * ids.length),
};
