import type { TranslationBundle } from '@jupyterlab/translation';
import { useCallback, useMemo } from 'react';
import type { JSX } from 'react';

import { formatMemory } from '../../format/share';
import type { IEngineModel } from '../../tokens';
import type { IMeasurement, IWorkload } from '../../wire';
import { Problem } from '../Problem';
import { Chart } from './Chart';
import { useAnswer } from './useAnswer';

/** How often a running workload's figures are asked for anew, in seconds. */
const FRESH_S = 5;

/** What is measured by seconds goes back so far, in seconds. */
const BY_SECONDS = 15 * 60;

/** What the charts show. */
export interface IUsageProps {
  readonly model: IEngineModel;
  readonly workload: IWorkload;

  /** The time in seconds. */
  readonly now: number;
  readonly trans: TranslationBundle;
}

/** What a workload used of devices, cores and memory, over time. */
export function Usage(props: IUsageProps): JSX.Element {
  const { model, workload, trans } = props;
  const { id, started, ended } = workload;
  const moment = ended ?? Math.floor(props.now / FRESH_S) * FRESH_S;
  const ask = useCallback(async () => {
    const age = moment - (started ?? moment);
    const step = age < BY_SECONDS ? 'second' : 'minute';
    return model.requests.measurements(id, step, started ?? 0);
  }, [model, id, moment, started]);
  const { value, problem } = useAnswer(ask);
  if (value?.length === 0) {
    return (
      <p className="jp-Runai-empty">{trans.__('Nothing was measured yet.')}</p>
    );
  }
  return (
    <>
      <Problem problem={problem} />
      {workload.simulated ? (
        <p className="jp-Runai-notice">
          {trans.__(
            'The devices are simulated: their figures are made up. Those of CPU and memory are measured.'
          )}
        </p>
      ) : null}
      {value === undefined ? null : <Charts measured={value} trans={trans} />}
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
