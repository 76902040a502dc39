import { useState } from 'react';

/**
 * A place in the document for each row, from 0: a row keeps its own as long as
 * it is rendered, and one that comes takes that of one that has gone.
 *
 * Elements that are filled anew cost a fraction of what new ones do.
 */
export function useSlots(rows: readonly string[]): ReadonlyMap<string, number> {
  const [slots] = useState(() => new Slots());
  return slots.of(rows);
}

/** Asked again for the same rows it answers the same: a render may be repeated. */
class Slots {
  of(rows: readonly string[]): ReadonlyMap<string, number> {
    this._last = slotsAfter(this._last, rows);
    return this._last;
  }

  private _last: ReadonlyMap<string, number> = new Map();
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
