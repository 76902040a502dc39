import type { TranslationBundle } from '@jupyterlab/translation';
import { useMemo } from 'react';
import type { JSX } from 'react';

import { formatMemory } from '../../format/share';
import type { IEngineModel } from '../../tokens';
import type { IMeasurement, IMeasurementStep, IWorkload } from '../../wire';
import { Problem } from '../Problem';
import { Chart } from './Chart';
import { useMeasuring } from './useMeasuring';

/** What is measured by seconds goes back so far, in seconds. */
const BY_SECONDS = 15 * 60;

/** What the charts show. */
export interface IUsageProps {
  readonly model: IEngineModel;
  readonly workload: IWorkload;

  /** The time in seconds. */
  readonly now: number;
  readonly trans: TranslationBundle;

  /** Whether somebody can see it. */
  readonly isVisible: boolean;
}

/** What a workload used of devices, cores and memory, over time. */
export function Usage(props: IUsageProps): JSX.Element {
  const { now, workload } = props;
  const age = now - (workload.started ?? now);
  const step = age < BY_SECONDS ? 'second' : 'minute';
  return <Measured key={step} step={step} {...props} />;
}

interface IMeasuredProps extends IUsageProps {
  readonly step: IMeasurementStep;
}

function Measured(props: IMeasuredProps): JSX.Element {
  const { model, workload, step, trans, isVisible } = props;
  const measuring = useMeasuring(model, workload, step, isVisible);
  const measurements = measuring?.measurements ?? null;
  if (measurements?.length === 0) {
    return (
      <p className="jp-Runai-empty">{trans.__('Nothing was measured yet.')}</p>
    );
  }
  return (
    <>
      <Problem problem={measuring?.problem ?? null} />
      {workload.simulated ? (
        <p className="jp-Runai-notice">
          {trans.__(
            'The devices are simulated: their figures are made up. Those of CPU and memory are measured.'
          )}
        </p>
      ) : null}
      {measurements === null ? null : (
        <Charts measured={measurements} trans={trans} />
      )}
    </>
  );
}

interface IChartsProps {
  readonly measured: readonly IMeasurement[];
  readonly trans: TranslationBundle;
}

function Charts({ measured, trans }: IChartsProps): JSX.Element {
  const times = useMemo(() => measured.map(({ at }) => at), [measured]);
  const titles: Readonly<Record<Figure, string>> = {
    gpu_utilization: trans.__('GPU compute (devices)'),
    gpu_memory_mib: trans.__('GPU memory'),
    cpu_cores: trans.__('CPU (cores)'),
    memory_mib: trans.__('Memory')
  };
  return (
    <div className="jp-Runai-charts">
      {FIGURES.map(({ figure, least, format }) => (
        <Chart
          key={figure}
          title={titles[figure]}
          times={times}
          values={measured.map(each => each[figure])}
          format={format}
          least={least}
          trans={trans}
        />
      ))}
    </div>
  );
}

type Figure = 'gpu_utilization' | 'gpu_memory_mib' | 'cpu_cores' | 'memory_mib';

const FIGURES: readonly {
  figure: Figure;
  least: number;
  format: (value: number) => string;
}[] = [
  { figure: 'gpu_utilization', least: 0.1, format: decimal },
  { figure: 'gpu_memory_mib', least: 64, format: memory },
  { figure: 'cpu_cores', least: 0.1, format: decimal },
  { figure: 'memory_mib', least: 64, format: memory }
];

function decimal(value: number): string {
  return String(Number(value.toFixed(2)));
}

function memory(value: number): string {
  return formatMemory(Math.round(value));
}
