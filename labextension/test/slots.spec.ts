import { slotsAfter } from '../src/components/table/useSlots';

function slots(
  rows: string,
  before: ReadonlyMap<string, number> = new Map()
): ReadonlyMap<string, number> {
  return slotsAfter(before, rows.split(' '));
}

describe('the places of rows', () => {
  it('are taken in order', () => {
    expect([...slots('a b c').values()]).toEqual([0, 1, 2]);
  });

  it('stay while a row is there, and go to those that come', () => {
    const after = slots('c d e f g', slots('a b c d'));
    expect(['c', 'd', 'e', 'f', 'g'].map(row => after.get(row))).toEqual([
      2, 3, 0, 1, 4
    ]);
  });

  it('are as many as rows', () => {
    const after = slots('y z', slots('a b c d e f g z'));
    expect(after.get('z')).toBe(7);
    expect(after.get('y')).toBe(0);
    expect(after.size).toBe(2);
  });
});
