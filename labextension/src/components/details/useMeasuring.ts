import { useEffect, useRef, useState } from 'react';

import type { IEngineModel, IMeasuring } from '../../tokens';
import type { IMeasurement, IMeasurementStep, IWorkload } from '../../wire';
import { useChanges } from '../hooks';

/** What a workload uses since its start, as it is measured and while somebody looks; null at first. */
export function useMeasuring(
  model: IEngineModel,
  { id, started }: IWorkload,
  step: IMeasurementStep,
  isVisible: boolean
): IMeasuring | null {
  const [measuring, setMeasuring] = useState<IMeasuring | null>(null);
  const known = useRef<readonly IMeasurement[]>([]);
  useEffect(() => {
    if (!isVisible) {
      return;
    }
    const begun = model.measure({
      workload: id,
      step,
      since: started ?? 0,
      known: known.current
    });
    setMeasuring(begun);
    return () => {
      known.current = begun.measurements ?? [];
      begun.dispose();
    };
  }, [model, id, started, step, isVisible]);
  useChanges(measuring, isVisible);
  return measuring;
}
