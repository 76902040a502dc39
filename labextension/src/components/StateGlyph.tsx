import type { JSX } from 'react';

import { stateGlyph } from '../format/words';
import type { IWorkload } from '../wire';

/** A workload's state as a sign beside the word; of none an empty one. */
export function StateGlyph(props: {
  readonly workload: IWorkload | null;
}): JSX.Element {
  const { workload } = props;
  return (
    <span
      className={`jp-Runai-glyph jp-mod-${workload?.state ?? 'stopped'}`}
      aria-hidden="true"
    >
      {workload === null ? '○' : stateGlyph(workload)}
    </span>
  );
}
