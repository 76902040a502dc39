import { useEffect, useState } from 'react';

import { EngineError } from '../../model/api';
import type { IProblem } from '../../wire';

/** What was asked, as far as it is known. */
export interface IAnswer<T> {
  /** The last answer; undefined until there is one. */
  readonly value: T | undefined;

  /** Why there is no newer one; null where there is none to tell of. */
  readonly problem: IProblem | null;
}

/** Ask whenever `ask` is another function; what was answered stays until something newer is. */
export function useAnswer<T>(ask: (() => Promise<T>) | null): IAnswer<T> {
  const [answer, setAnswer] = useState<IAnswer<T>>({
    value: undefined,
    problem: null
  });
  useEffect(() => {
    if (ask === null) {
      return;
    }
    let isWanted = true;
    ask().then(
      value => {
        if (isWanted) {
          setAnswer({ value, problem: null });
        }
      },
      (error: unknown) => {
        if (isWanted) {
          setAnswer(before => ({ ...before, problem: problemOf(error) }));
        }
      }
    );
    return () => {
      isWanted = false;
    };
  }, [ask]);
  return answer;
}

/** Any error as something to tell. */
export function problemOf(error: unknown): IProblem {
  if (error instanceof EngineError) {
    return error;
  }
  return { code: 'defect', message: String(error), hint: '' };
}
