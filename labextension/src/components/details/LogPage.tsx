import type { TranslationBundle } from '@jupyterlab/translation';
import { useEffect, useMemo, useRef, useState } from 'react';
import type { JSX } from 'react';

import { occurrences, showOccurrence } from '../../format/find';
import type { IEngineModel, ILogFollower } from '../../tokens';
import type { IWorkload } from '../../wire';
import { LogOutput } from '../LogOutput';

/** What the page shows. */
export interface ILogPageProps {
  readonly model: IEngineModel;
  readonly workload: IWorkload;
  readonly follower: ILogFollower;
  readonly trans: TranslationBundle;
}

/** A workload's log as it is written, to search and to download. */
export function LogPage(props: ILogPageProps): JSX.Element {
  const { model, workload, follower, trans } = props;
  const output = useRef<HTMLDivElement>(null);
  return (
    <>
      <div className="jp-Runai-tableTools">
        <Search output={output} follower={follower} trans={trans} />
        <span className="jp-Runai-spacer" />
        <a
          className="jp-Runai-action"
          href={model.requests.logUrl(workload.id)}
          download
        >
          {trans.__('Download')}
        </a>
      </div>
      <div ref={output} className="jp-Runai-logFrame">
        <LogOutput
          name={workload.name}
          text={follower.text}
          isComplete={follower.isComplete}
          isKnown
          problem={follower.problem}
          error={workload.report?.error ?? null}
          trans={trans}
        />
      </div>
    </>
  );
}

interface ISearchProps extends Pick<ILogPageProps, 'follower' | 'trans'> {
  readonly output: { readonly current: HTMLElement | null };
}

function Search({ output, follower, trans }: ISearchProps): JSX.Element {
  const [sought, setSought] = useState('');
  const [place, setPlace] = useState(0);
  const written = follower.text.toString();
  const found = useMemo(
    () => (sought === '' ? 0 : occurrences(written, sought)),
    [written, sought]
  );
  const shown = found === 0 ? 0 : ((place % found) + found) % found;
  useEffect(() => {
    const log = output.current?.querySelector('pre') ?? null;
    return showOccurrence(log, found === 0 ? '' : sought, shown);
  }, [output, sought, shown, found]);
  const step = (by: number): void => {
    setPlace(shown + by);
  };
  return (
    <div className="jp-Runai-filter jp-mod-log" role="search">
      <input
        type="search"
        value={sought}
        aria-label={trans.__('Search the log')}
        placeholder={trans.__('Search the log')}
        onChange={({ currentTarget }) => {
          setSought(currentTarget.value);
          setPlace(0);
        }}
        onKeyDown={({ key, shiftKey }) => {
          if (key === 'Enter') {
            step(shiftKey ? -1 : 1);
          }
        }}
      />
      <Step
        sign="↑"
        label={trans.__('The one before')}
        isEnabled={found > 0}
        act={() => {
          step(-1);
        }}
      />
      <Step
        sign="↓"
        label={trans.__('The next')}
        isEnabled={found > 0}
        act={() => {
          step(1);
        }}
      />
      <span className="jp-Runai-summary" role="status">
        {sought === ''
          ? null
          : found === 0
            ? trans.__('not found')
            : trans.__('%1 of %2', String(shown + 1), String(found))}
      </span>
    </div>
  );
}

interface IStepProps {
  readonly sign: string;
  readonly label: string;
  readonly isEnabled: boolean;
  readonly act: () => void;
}

function Step({ sign, label, isEnabled, act }: IStepProps): JSX.Element {
  return (
    <button
      type="button"
      className="jp-Runai-iconButton"
      aria-label={label}
      title={label}
      disabled={!isEnabled}
      onClick={act}
    >
      {sign}
    </button>
  );
}
