import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSX } from 'react';

import { NOT_LOGGED_IN } from '../model/api';
import type { IConnection } from '../tokens';

/** What is said while there is no engine. */
export interface INoEngineProps {
  readonly connection: IConnection;
  readonly trans: TranslationBundle;
}

/** That the engine is starting, or why it is not there and what to do; nothing while it is. */
export function NoEngine(props: INoEngineProps): JSX.Element | null {
  const { connection, trans } = props;
  const { phase, problem } = connection;
  if (problem !== null) {
    const { code, message } = problem;
    const hint =
      code === NOT_LOGGED_IN ? <LogIn trans={trans} /> : problem.hint;
    return (
      <div className="jp-Runai-problem" role="alert">
        <p>{message}</p>
        {hint === '' ? null : <p className="jp-Runai-hint">{hint}</p>}
      </div>
    );
  }
  switch (phase) {
    case 'live':
      return null;
    case 'starting':
      return (
        <p className="jp-Runai-empty">{trans.__('The engine is starting…')}</p>
      );
    case 'lost':
      return (
        <p className="jp-Runai-empty">
          {trans.__('No connection to the Jupyter server. Trying again…')}
        </p>
      );
  }
}

/** In another tab, so that nothing of this one is lost; it goes on by itself. */
function LogIn({ trans }: Pick<INoEngineProps, 'trans'>): JSX.Element {
  return (
    <a
      className="jp-Runai-link"
      href={location.href}
      target="_blank"
      rel="noreferrer"
    >
      {trans.__('Log in again in another tab')}
    </a>
  );
}
