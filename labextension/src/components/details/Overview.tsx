import type { TranslationBundle } from '@jupyterlab/translation';
import { useCallback, useState } from 'react';
import type { JSX } from 'react';

import { formatDevices } from '../../format/share';
import { timeline } from '../../format/timeline';
import { formatDate, formatElapsed } from '../../format/time';
import { factWord, stateWord } from '../../format/words';
import { isWaiting } from '../../model/workloads';
import type { IEngineModel } from '../../tokens';
import type {
  IExplanation,
  ISpecChange,
  ITaskStatus,
  IWorkload
} from '../../wire';
import { Problem } from '../Problem';
import { Section } from '../Section';
import { useAnswer } from './useAnswer';

/** What the overview shows. */
export interface IOverviewProps {
  readonly model: IEngineModel;
  readonly workload: IWorkload;

  /** The time in seconds. */
  readonly now: number;
  readonly trans: TranslationBundle;

  /** Submit another like it, with a change. */
  readonly copy: (id: string, change?: ISpecChange) => void;
}

/** A workload's life, why it waits with what would help, and its tasks. */
export function Overview(props: IOverviewProps): JSX.Element {
  const { workload, now, trans } = props;
  return (
    <>
      <Section title={trans.__('Timeline')}>
        <ol className="jp-Runai-timeline">
          {timeline(workload, now, trans).map(moment => (
            <li key={moment.key}>
              <span className="jp-Runai-number">
                {moment.at === null ? trans.__('now') : formatDate(moment.at)}
              </span>
              <strong>{moment.label}</strong>
              <span>{moment.detail}</span>
            </li>
          ))}
        </ol>
      </Section>
      {isWaiting(workload) ? <Why {...props} /> : null}
      {workload.tasks > 1 ? <Tasks {...props} /> : null}
    </>
  );
}

/** The verdict with its numbers, and what would help; asked again when the verdict is another. */
function Why(props: IOverviewProps): JSX.Element {
  const { model, workload, trans } = props;
  const { id, verdict } = workload;
  const said = verdict?.message ?? '';
  const ask = useCallback(
    // A verdict that says something else has other remedies.
    () => model.requests.explain(id).then(answer => ({ answer, said })),
    [model, id, said]
  );
  const { value, problem } = useAnswer(ask);
  return (
    <Section title={trans.__('Why it waits')}>
      <p>{said === '' ? trans.__('Nobody has looked at it yet.') : said}</p>
      <dl className="jp-Runai-facts">
        {facts(workload, value?.answer ?? null, trans).map(([name, figure]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{figure}</dd>
          </div>
        ))}
      </dl>
      <h4>{trans.__('What helps')}</h4>
      {value === undefined && problem === null ? (
        <p className="jp-Runai-hint">{trans.__('Working it out…')}</p>
      ) : null}
      <Problem problem={problem} />
      <Remedies
        remedies={value?.answer.remedies ?? []}
        isKnown={value !== undefined}
        trans={trans}
        use={change => {
          props.copy(id, change);
        }}
      />
    </Section>
  );
}

interface IRemediesProps {
  readonly remedies: readonly ISpecChange[];
  readonly isKnown: boolean;
  readonly trans: TranslationBundle;
  readonly use: (change: ISpecChange) => void;
}

function Remedies(props: IRemediesProps): JSX.Element | null {
  const { remedies, isKnown, trans, use } = props;
  if (remedies.length === 0) {
    return isKnown ? (
      <p className="jp-Runai-hint">
        {trans.__('No smaller change lets it start now.')}
      </p>
    ) : null;
  }
  return (
    <ul className="jp-Runai-remedies">
      {remedies.map(remedy => (
        <li key={remedy.change}>
          <span>{trans.__('%1: %2', remedy.change, remedy.effect)}</span>
          <button
            type="button"
            className="jp-Runai-action"
            aria-label={trans.__('Submit with %1…', remedy.change)}
            onClick={() => {
              use(remedy);
            }}
          >
            {trans.__('Submit so…')}
          </button>
        </li>
      ))}
    </ul>
  );
}

function facts(
  { verdict }: IWorkload,
  explanation: IExplanation | null,
  trans: TranslationBundle
): [string, string][] {
  const known = Object.entries(verdict?.facts ?? {}).flatMap(
    ([name, value]): [string, string][] =>
      name !== 'queue' &&
      (typeof value === 'number' || typeof value === 'string')
        ? [[factWord(name, trans), String(value)]]
        : []
  );
  const ahead = verdict?.ahead ?? [];
  const queue = explanation?.queue ?? null;
  return [
    ...known,
    [
      trans.__('ahead of it'),
      ahead.length === 0
        ? trans.__('nobody')
        : trans._n('%1 workload', '%1 workloads', ahead.length)
    ],
    ...(queue === null
      ? []
      : [
          [
            trans.__('project %1', queue.name),
            trans.__(
              'uses %1, quota %2, fair share %3, limit %4',
              formatDevices(queue.allocated),
              devices(queue.quota, trans),
              devices(queue.fair_share, trans),
              devices(queue.limit, trans)
            )
          ] satisfies [string, string]
        ])
  ];
}

function devices(value: number | null, trans: TranslationBundle): string {
  return value === null ? trans.__('none') : formatDevices(value);
}

/** How many tasks are shown unless all are asked for. */
const FEW_TASKS = 50;

function Tasks(props: IOverviewProps): JSX.Element {
  const { model, workload, now, trans } = props;
  const [showsAll, setShowsAll] = useState(false);
  const counts = JSON.stringify(workload.task_states);
  const ask = useCallback(
    // Other counts mean that tasks have changed.
    () => model.requests.tasks(workload.id).then(tasks => ({ tasks, counts })),
    [model, workload.id, counts]
  );
  const { value, problem } = useAnswer(ask);
  const tasks = value?.tasks ?? [];
  const shown = showsAll ? tasks : tasks.slice(0, FEW_TASKS);
  return (
    <Section
      title={trans.__('Tasks')}
      summary={trans._n('%1 task', '%1 tasks', workload.tasks)}
    >
      <Problem problem={problem} />
      <table className="jp-Runai-facts">
        <thead>
          <tr>
            <th scope="col">{trans.__('Task')}</th>
            <th scope="col">{trans.__('State')}</th>
            <th scope="col">{trans.__('Devices')}</th>
            <th scope="col">{trans.__('Run time')}</th>
            <th scope="col">{trans.__('Exit code')}</th>
          </tr>
        </thead>
        <tbody>
          {shown.map(task => (
            <tr key={task.index}>
              <td>{task.index}</td>
              <td>{stateWord({ ...workload, ...task }, trans)}</td>
              <td>{places(task)}</td>
              <td>{runTime(task, now)}</td>
              <td>{task.exit_code}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {shown.length < tasks.length ? (
        <button
          type="button"
          className="jp-Runai-link"
          onClick={() => {
            setShowsAll(true);
          }}
        >
          {trans.__('Show all %1', String(tasks.length))}
        </button>
      ) : null}
    </Section>
  );
}

function places({ allocation }: ITaskStatus): string {
  return (allocation?.devices ?? []).map(({ index }) => `#${index}`).join(', ');
}

function runTime({ started, ended }: ITaskStatus, now: number): string {
  return started === null ? '' : formatElapsed((ended ?? now) - started);
}
