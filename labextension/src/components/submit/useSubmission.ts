import { Debouncer } from '@lumino/polling';
import { useEffect, useMemo, useState } from 'react';

import { toSpec } from '../../submission/draft';
import type { Draft } from '../../submission/draft';
import type { IEngineModel } from '../../tokens';
import type { IProblem, IVerdict, IWorkloadSpec } from '../../wire';
import { problemOf } from '../details/useAnswer';

/** How long fields must stay as they are before the engine is asked, in milliseconds. */
const SETTLED_MS = 250;

/** What the engine says of a draft. */
export interface IForecast {
  /** What would become of it now; null until the engine has said so. */
  readonly verdict: IVerdict | null;

  /** What is wrong with it. */
  readonly problem: IProblem | null;

  /** Whether the draft has changed since. */
  readonly isOld: boolean;
}

/** What would become of a draft, asked whenever it has changed and stays so for a moment. */
export function useForecast(
  model: IEngineModel,
  draft: Draft,
  base: Partial<IWorkloadSpec>
): IForecast {
  const [said, setSaid] = useState<
    Omit<IForecast, 'isOld'> & { of: Draft | null }
  >({ verdict: null, problem: null, of: null });
  const ask = useMemo(
    () =>
      new Debouncer<void, Error, [Draft]>(async asked => {
        try {
          const verdict = await model.requests.preview(toSpec(asked, base));
          setSaid({ verdict, problem: null, of: asked });
        } catch (error) {
          setSaid({ verdict: null, problem: problemOf(error), of: asked });
        }
      }, SETTLED_MS),
    [model, base]
  );
  useEffect(
    () => () => {
      ask.dispose();
    },
    [ask]
  );
  useEffect(() => {
    if (draft.command.trim() !== '') {
      // Rejected when it is put off again, which is what should happen.
      ask.invoke(draft).catch(() => undefined);
    }
  }, [ask, draft]);
  return { ...said, isOld: said.of !== draft };
}
