/** Replaces {key} and {value} wherever they stand; what replaces them is not looked at again. */
export const fillIn = (wording: string, { key = '', value = '' }: { readonly key?: string; readonly value?: string }): string =>
  wording.replace(/\{(key|value)\}/gu, (_, name) => (name === 'key' ? key : value));
