/**
 * What of two libraries is used here. Their own declarations import each other without file endings, which
 * Node's module resolution (and so TypeScript's) does not follow.
 */
declare module '@huggingface/tokenizers' {
  interface Model {
    readonly tokens_to_ids: ReadonlyMap<string, number>;
    readonly unk_token_id?: number;
    /** Whether neighbouring unknown tokens become one, even of two words. */
    readonly fuse_unk: boolean;
    _call(words: readonly string[]): string[];
  }

  export class Tokenizer {
    constructor(json: object, config: object);
    readonly normalizer: { normalize(text: string): string } | null;
    readonly pre_tokenizer: { pre_tokenize(text: string, options: { readonly section_index: number }): string[] } | null;
    readonly model: Model;
    readonly post_processor: { post_process(tokens: readonly string[], pair: null, addSpecial: boolean): { readonly tokens: string[] } } | null;
    readonly decoder: { decode(tokens: readonly string[]): string } | null;
    token_to_id(token: string): number | undefined;
    id_to_token(id: number): string | undefined;
  }
}

declare module '@huggingface/jinja' {
  export class Template {
    constructor(template: string);
    render(variables: Readonly<Record<string, unknown>>): string;
  }
}
