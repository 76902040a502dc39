import { useCallback } from 'react';

import type { IEngineModel } from '../../tokens';
import type { IClause, IWorkloadSpec } from '../../wire';
import { useAnswer } from '../details/useAnswer';
import { useSettled } from './useSettled';

const NOTHING: readonly IClause[] = [];

/** What policies say of a submission's kind in its project; nothing of what is no submission. */
export function usePolicy(
  { requests }: IEngineModel,
  spec: IWorkloadSpec | null
): readonly IClause[] {
  const queue = useSettled(spec?.queue ?? 'default');
  const kind = spec?.kind ?? 'training';
  const ask = useCallback(
    () => requests.policy(queue, kind),
    [requests, queue, kind]
  );
  const { value, problem } = useAnswer(spec === null ? null : ask);
  // What is wrong with the project stands in the forecast.
  return problem === null ? (value?.clauses ?? NOTHING) : NOTHING;
}
