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
