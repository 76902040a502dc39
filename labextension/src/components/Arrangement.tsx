import { Fragment, useMemo, useState } from 'react';
import type { JSX } from 'react';

import { moved, sized, toggled } from '../panel/arrangement';
import type { IArrangement, SectionId } from '../panel/arrangement';
import { Arranging } from './useArrangement';

/** What is arranged. */
export interface IArrangementProps {
  readonly first: IArrangement;

  /** The sections; null where there is nothing to show. */
  readonly sections: Readonly<Record<SectionId, JSX.Element | null>>;

  /** Told each change. */
  readonly change: (arrangement: IArrangement) => void;
}

/** The sections of the panel as the user has arranged them. */
export function Arrangement(props: IArrangementProps): JSX.Element {
  const { first, sections, change } = props;
  const [arrangement, setArrangement] = useState(first);
  const shown = arrangement.order.filter(id => sections[id] !== null).join(' ');
  const arranging = useMemo(() => {
    const visible = shown.split(' ') as SectionId[];
    const set = (next: IArrangement): void => {
      setArrangement(next);
      change(next);
    };
    return {
      arrangement,
      shown: visible,
      move: (id: SectionId, by: -1 | 1) => {
        set(moved(arrangement, id, by, visible));
      },
      toggle: (id: SectionId) => {
        set(toggled(arrangement, id));
      },
      size: (id: SectionId, height: number | null) => {
        set(sized(arrangement, id, height));
      }
    };
  }, [arrangement, shown, change]);
  return (
    <Arranging.Provider value={arranging}>
      {arrangement.order.map(id => (
        <Fragment key={id}>{sections[id]}</Fragment>
      ))}
    </Arranging.Provider>
  );
}
