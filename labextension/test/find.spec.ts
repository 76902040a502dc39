import { occurrences, showOccurrence } from '../src/format/find';

describe('searching a log', () => {
  it.each([
    ['epoch 1\nepoch 2', 'epoch', 2],
    ['Epoch EPOCH', 'epoch', 2],
    ['aaaa', 'aa', 2],
    ['one', 'two', 0]
  ])('finds in %j %j %i times', (text, sought, times) => {
    expect(occurrences(text, sought)).toBe(times);
  });

  it('takes signs for what they are', () => {
    expect(occurrences('a.b axb', 'a.b')).toBe(1);
    expect(occurrences('f(x) f(y)', 'f(')).toBe(2);
  });

  it.each([
    ['something', ''],
    ['something', 'else'],
    ['', 'thing']
  ])('marks nothing of %j for %j', (text, sought) => {
    const log = document.createElement('pre');
    log.append(text);
    expect(() => {
      showOccurrence(log, sought, 0)();
      showOccurrence(null, sought, 0)();
    }).not.toThrow();
  });
});

describe('marking what was found', () => {
  const marks = new Map<string, { range: Range }>();
  const scrolled = jest.fn();
  let log: HTMLElement;

  beforeEach(() => {
    marks.clear();
    scrolled.mockClear();
    // What browsers have and jsdom has not.
    Object.assign(window, {
      CSS: { highlights: marks },
      Highlight: class {
        constructor(readonly range: Range) {}
      }
    });
    Range.prototype.getBoundingClientRect = () => ({ top: 300 }) as DOMRect;
    Element.prototype.scrollIntoView = scrolled;
    log = document.createElement('pre');
    log.innerHTML = 'Epoch 1\n<span>epo</span><span>ch 2\nepoch</span> 3';
  });

  function marked(): string | undefined {
    return [...marks.values()][0]?.range.toString();
  }

  it.each([
    [0, 'Epoch', 'Epoch 1'],
    [1, 'epoch', 'epoch 2'],
    [2, 'epoch', 'epoch 3']
  ])(
    'marks occurrence %d, wherever it begins and ends',
    (place, text, line) => {
      showOccurrence(log, 'EPOCH', place);
      expect(marked()).toBe(text);
      const [{ range } = { range: document.createRange() }] = marks.values();
      const after = document.createRange();
      after.setStart(range.startContainer, range.startOffset);
      after.setEnd(log, log.childNodes.length);
      expect(after.toString().startsWith(line)).toBe(true);
      expect(scrolled).toHaveBeenCalledTimes(1);
    }
  );

  it('marks nothing beyond the last', () => {
    showOccurrence(log, 'epoch', 3);
    expect(marks.size).toBe(0);
    expect(scrolled).not.toHaveBeenCalled();
  });

  it('takes the mark away again', () => {
    const clear = showOccurrence(log, 'epoch', 0);
    expect(marks.size).toBe(1);
    clear();
    expect(marks.size).toBe(0);
  });

  it('brings it to the middle of what scrolls', () => {
    const scroller = document.createElement('div');
    scroller.className = 'jp-Runai-logScroller';
    scroller.append(log);
    Object.defineProperty(scroller, 'clientHeight', { value: 200 });
    scroller.getBoundingClientRect = () => ({ top: 50 }) as DOMRect;
    showOccurrence(log, 'epoch', 1);
    expect(scroller.scrollTop).toBe(150);
  });

  it('takes the letters of a pattern for themselves', () => {
    log.replaceChildren('axb a.b');
    showOccurrence(log, 'a.b', 0);
    expect(marked()).toBe('a.b');
    const [{ range } = { range: document.createRange() }] = marks.values();
    expect(range.startOffset).toBe(4);
  });
});
