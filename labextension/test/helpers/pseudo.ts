import type { TranslationBundle } from '@jupyterlab/translation';

/** A translation that marks what it has translated: what stands outside of the marks nobody can translate. */
export const pseudo = {
  __: (text: string, ...values: unknown[]) => marked(text, values),
  _n: (one: string, many: string, n: number, ...values: unknown[]) =>
    marked(n === 1 ? one : many, [n, ...values])
} as unknown as TranslationBundle;

/** What of a text is not translated: words outside of all marks. */
export function untranslated(text: string): string[] {
  let depth = 0;
  let outside = '';
  for (const letter of text) {
    depth += letter === '⟦' ? 1 : 0;
    outside += depth === 0 ? letter : '';
    depth -= letter === '⟧' ? 1 : 0;
  }
  return outside.match(/\p{L}{2,}/gu) ?? [];
}

function marked(text: string, values: readonly unknown[]): string {
  const filled = text.replace(/%(\d+)/g, (_, place: string) =>
    String(values[Number(place) - 1])
  );
  return `⟦${filled}⟧`;
}
