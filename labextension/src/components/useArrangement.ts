import { createContext, useContext } from 'react';

import { USUAL } from '../panel/arrangement';
import type { IArrangement, SectionId } from '../panel/arrangement';

/** How the panel is arranged, and how that changes. */
export interface IArranging {
  readonly arrangement: IArrangement;

  /** Those that have something to show, from top to bottom. */
  readonly shown: readonly SectionId[];
  readonly move: (id: SectionId, by: -1 | 1) => void;
  readonly toggle: (id: SectionId) => void;
  readonly size: (id: SectionId, height: number | null) => void;
}

const nothing = (): void => undefined;

/** What the sections of the panel know of it. */
export const Arranging = createContext<IArranging>({
  arrangement: USUAL,
  shown: USUAL.order,
  move: nothing,
  toggle: nothing,
  size: nothing
});

/** How the panel around is arranged. */
export function useArrangement(): IArranging {
  return useContext(Arranging);
}
