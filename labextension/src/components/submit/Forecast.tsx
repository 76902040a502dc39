import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSX } from 'react';

import { waitingWords } from '../../format/words';
import type { IProblem, IVerdict } from '../../wire';
import type { IForecast } from './useForecast';

/** What is shown of it. */
export interface IForecastProps {
  readonly forecast: IForecast;

  /** What is wrong and stands below no field. */
  readonly problem: IProblem | null;
  readonly isEmpty: boolean;
  readonly trans: TranslationBundle;
}

/** What would become of the submission now. */
export function Forecast(props: IForecastProps): JSX.Element {
  const { forecast, problem, isEmpty, trans } = props;
  const { verdict, isOld } = forecast;
  return (
    <div
      className={`jp-Runai-forecast${isOld ? ' jp-mod-stale' : ''}`}
      role="status"
    >
      {isEmpty || (verdict === null && problem === null)
        ? trans.__('What would happen stands here.')
        : null}
      {problem === null ? null : (
        <p className="jp-Runai-fieldProblem">
          {problem.message} {problem.hint}
        </p>
      )}
      {isEmpty || verdict === null ? null : (
        <Outlook verdict={verdict} trans={trans} />
      )}
    </div>
  );
}

interface IOutlookProps extends Pick<IForecastProps, 'trans'> {
  readonly verdict: IVerdict;
}

/** When it would start and where, else where it would stand and why. */
function Outlook({ verdict, trans }: IOutlookProps): JSX.Element {
  const { code, message, queue_position: position, state } = verdict;
  if (state === 'placed') {
    return (
      <>
        <strong>{message.charAt(0).toUpperCase() + message.slice(1)}</strong>
        <Chosen verdict={verdict} trans={trans} />
      </>
    );
  }
  return (
    <>
      <strong>
        {waitingWords(code, trans)}
        {position === null
          ? null
          : trans.__(' · position %1', String(position))}
      </strong>
      <p>{message}</p>
      <Chosen verdict={verdict} trans={trans} />
    </>
  );
}

/** What a policy has chosen of it, and because of whom. */
function Chosen({ verdict, trans }: IOutlookProps): JSX.Element | null {
  const { policy } = verdict.facts as {
    readonly policy?: readonly string[];
  };
  return policy === undefined ? null : (
    <>
      <p>{trans.__('By policy:')}</p>
      <ul className="jp-Runai-fieldNotes">
        {policy.map(sentence => (
          <li key={sentence}>{sentence}</li>
        ))}
      </ul>
    </>
  );
}
