import { useCallback, useLayoutEffect, useMemo, useRef, useState } from 'react';

import type { IWorkload } from '../../wire';

/** Which workloads are selected, and how that changes. */
export interface ISelection {
  /** The ids of those that are selected. */
  readonly ids: ReadonlySet<string>;

  /** Select one or not any more; with `isRange` all from the last one on. */
  toggle(id: string, isRange: boolean): void;

  /** Select these and no others. */
  set(ids: Iterable<string>): void;
}

/** The selection among the workloads that are shown; what is shown no more is selected no more. */
export function useSelection(shown: readonly IWorkload[]): ISelection {
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const anchor = useRef<string | null>(null);
  const latest = useRef(shown);
  useLayoutEffect(() => {
    latest.current = shown;
  });
  const ids = useMemo(() => stillShown(selected, shown), [selected, shown]);
  if (ids !== selected) {
    setSelected(ids);
  }
  const set = useCallback((chosen: Iterable<string>) => {
    setSelected(new Set(chosen));
  }, []);
  const toggle = useCallback((id: string, isRange: boolean) => {
    const from = anchor.current;
    anchor.current = id;
    setSelected(before => {
      const after = new Set(before);
      const isAdded = !before.has(id);
      const range =
        isRange && from !== null ? between(latest.current, from, id) : [id];
      for (const each of range) {
        if (isAdded || isRange) {
          after.add(each);
        } else {
          after.delete(each);
        }
      }
      return after;
    });
  }, []);
  return useMemo(() => ({ ids, toggle, set }), [ids, toggle, set]);
}

function stillShown(
  selected: ReadonlySet<string>,
  shown: readonly IWorkload[]
): ReadonlySet<string> {
  if (selected.size === 0) {
    return selected;
  }
  const left = shown.filter(({ id }) => selected.has(id));
  return left.length === selected.size
    ? selected
    : new Set(left.map(({ id }) => id));
}

function between(
  shown: readonly IWorkload[],
  one: string,
  other: string
): readonly string[] {
  const ends = [one, other].map(end => shown.findIndex(({ id }) => id === end));
  if (ends.includes(-1)) {
    return [other];
  }
  return shown
    .slice(Math.min(...ends), Math.max(...ends) + 1)
    .map(({ id }) => id);
}
