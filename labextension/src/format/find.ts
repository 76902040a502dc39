/** The name of the highlight that marks what was found. */
const MARK = 'jp-runai-found';

/** How often a text is in another, whatever the case of its letters. */
export function occurrences(text: string, sought: string): number {
  return text.toLowerCase().split(sought.toLowerCase()).length - 1;
}

/**
 * Scroll to an occurrence of a text in an element, by its place from 0, and mark it.
 *
 * What it returns takes the mark away again.
 */
export function showOccurrence(
  element: Element | null,
  sought: string,
  place: number
): () => void {
  const range =
    element === null || sought === ''
      ? null
      : rangeOf(element, sought.toLowerCase(), place);
  if (range === null) {
    return () => undefined;
  }
  range.startContainer.parentElement?.scrollIntoView({ block: 'nearest' });
  const scroller = element?.closest('.jp-Runai-logScroller') ?? null;
  if (scroller !== null) {
    const offset =
      range.getBoundingClientRect().top - scroller.getBoundingClientRect().top;
    scroller.scrollTop += offset - scroller.clientHeight / 2;
  }
  CSS.highlights.set(MARK, new Highlight(range));
  return () => {
    CSS.highlights.delete(MARK);
  };
}

/** Where an occurrence is; one may begin in one node and end in another. */
function rangeOf(
  element: Element,
  sought: string,
  place: number
): Range | null {
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  const nodes: { node: Node; start: number }[] = [];
  let text = '';
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
    nodes.push({ node, start: text.length });
    text += (node.textContent ?? '').toLowerCase();
  }
  let start = text.indexOf(sought);
  for (let left = place; left > 0 && start !== -1; left--) {
    start = text.indexOf(sought, start + sought.length);
  }
  if (start === -1) {
    return null;
  }
  const range = document.createRange();
  const end = start + sought.length;
  for (const [at, set] of [
    [start, range.setStart.bind(range)],
    [end, range.setEnd.bind(range)]
  ] as const) {
    const holder = nodes.filter(({ start: from }) => from <= at).at(-1);
    if (holder !== undefined) {
      set(holder.node, at - holder.start);
    }
  }
  return range;
}
