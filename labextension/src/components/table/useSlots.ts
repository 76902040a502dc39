import { useLayoutEffect, useRef } from 'react';

/**
 * A place in the document for each row, from 0: a row keeps its own as long as
 * it is rendered, and one that comes takes that of one that has gone.
 *
 * Elements that are filled anew cost a fraction of what new ones do.
 */
export function useSlots(rows: readonly string[]): ReadonlyMap<string, number> {
  const last = useRef<ReadonlyMap<string, number>>(new Map());
  const slots = slotsAfter(last.current, rows);
  useLayoutEffect(() => {
    last.current = slots;
  });
  return slots;
}

/** The places of these rows, where those were the places before. */
export function slotsAfter(
  before: ReadonlyMap<string, number>,
  rows: readonly string[]
): ReadonlyMap<string, number> {
  const slots = new Map<string, number>();
  const taken = new Set<number>();
  for (const row of rows) {
    const slot = before.get(row);
    if (slot !== undefined) {
      slots.set(row, slot);
      taken.add(slot);
    }
  }
  let free = 0;
  for (const row of rows) {
    if (!slots.has(row)) {
      while (taken.has(free)) {
        free++;
      }
      slots.set(row, free);
      taken.add(free);
    }
  }
  return slots;
}
