import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSX } from 'react';

import type { IConnection } from '../tokens';

/** What is said while there is no engine. */
export interface INoEngineProps {
  readonly connection: IConnection;
  readonly trans: TranslationBundle;
}

/** That the engine is starting, or why it does not and what to do. */
export function NoEngine({ connection, trans }: INoEngineProps): JSX.Element {
  const { phase, problem } = connection;
  if (problem !== null) {
    return (
      <div className="jp-Runai-problem" role="alert">
        <p>{problem.message}</p>
        {problem.hint === '' ? null : (
          <p className="jp-Runai-hint">{problem.hint}</p>
        )}
      </div>
    );
  }
  return (
    <p className="jp-Runai-empty">
      {phase === 'starting'
        ? trans.__('The engine is starting…')
        : trans.__('The server cannot be reached. Trying again…')}
    </p>
  );
}
