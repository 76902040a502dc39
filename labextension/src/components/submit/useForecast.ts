import { useEffect, useState } from 'react';

import type { IEngineModel } from '../../tokens';
import type { IProblem, IVerdict, IWorkloadSpec } from '../../wire';
import { problemOf } from '../details/useAnswer';
import { useSettled } from './useSettled';

/** What the engine says of a submission. */
export interface IForecast {
  /** What would become of it now; null until the engine has said so. */
  readonly verdict: IVerdict | null;

  /** What is wrong with it. */
  readonly problem: IProblem | null;

  /** Whether it has changed since. */
  readonly isOld: boolean;
}

interface ISaid extends Omit<IForecast, 'isOld'> {
  readonly of: IWorkloadSpec | null;
}

/** What would become of a submission, asked whenever it has changed and stays so for a moment; null is asked about nothing. */
export function useForecast(
  model: IEngineModel,
  spec: IWorkloadSpec | null
): IForecast {
  const [said, setSaid] = useState<ISaid>({
    verdict: null,
    problem: null,
    of: null
  });
  const settled = useSettled(spec);
  useEffect(() => {
    if (settled === null) {
      return;
    }
    let isWanted = true;
    const hear = (answer: Omit<ISaid, 'of'>): void => {
      if (isWanted) {
        setSaid({ ...answer, of: settled });
      }
    };
    model.requests.preview(settled).then(
      verdict => {
        hear({ verdict, problem: null });
      },
      (error: unknown) => {
        hear({ verdict: null, problem: problemOf(error) });
      }
    );
    return () => {
      isWanted = false;
    };
  }, [model, settled]);
  const { of, ...answer } = said;
  return { ...answer, isOld: of !== spec };
}
