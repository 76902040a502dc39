import type { TranslationBundle } from '@jupyterlab/translation';
import { useCallback } from 'react';
import type { JSX } from 'react';

import { joinCommand } from '../../submission/command';
import type { IEngineModel } from '../../tokens';
import type { IWorkload } from '../../wire';
import { Problem } from '../Problem';
import { useAnswer } from './useAnswer';

/** What the specification is of. */
export interface ISpecificationProps {
  readonly model: IEngineModel;
  readonly workload: IWorkload;
  readonly trans: TranslationBundle;
}

/** What was submitted, as it was changed since; without the values of its environment. */
export function Specification(props: ISpecificationProps): JSX.Element {
  const { model, workload, trans } = props;
  const { id, request, tasks } = workload;
  const ask = useCallback(
    // A resize or a change of scale changes it.
    () =>
      model.requests.specification(id).then(spec => ({ spec, request, tasks })),
    [model, id, request, tasks]
  );
  const { value, problem } = useAnswer(ask);
  const { command = [], env = {}, ...rest } = value?.spec ?? {};
  return (
    <>
      <Problem problem={problem} />
      {value === undefined ? null : (
        <dl className="jp-Runai-facts">
          <div>
            <dt>{trans.__('command')}</dt>
            <dd>
              <code>{joinCommand(command)}</code>
            </dd>
          </div>
          {Object.entries(rest).map(([name, set]) => (
            <div key={name}>
              <dt>
                <code>{name}</code>
              </dt>
              <dd>
                <code>
                  {typeof set === 'string' ? set : JSON.stringify(set)}
                </code>
              </dd>
            </div>
          ))}
          <div>
            <dt>{trans.__('environment')}</dt>
            <dd>
              {trans._n('%1 variable', '%1 variables', Object.keys(env).length)}
            </dd>
          </div>
        </dl>
      )}
    </>
  );
}
