import type { TranslationBundle } from '@jupyterlab/translation';
import { copyIcon } from '@jupyterlab/ui-components';
import { useEffect, useState } from 'react';
import type { JSX } from 'react';

import type { IActions } from './actions';

/** The first cell: it brings the magics. */
export const FIRST_CELL = '%load_ext jupyter_runai';

/** The second cell: it is the first workload. */
export const SECOND_CELL =
  '%%runai train --gpu 0.5\nprint("hello from half a GPU")';

/** How long a button says that it has copied. */
const COPIED_MS = 2000;

/** What is shown before the first workload. */
export interface IFirstStepsProps {
  readonly actions: IActions;
  readonly trans: TranslationBundle;
}

/** What to paste into a notebook to get a first workload. */
export function FirstSteps({ actions, trans }: IFirstStepsProps): JSX.Element {
  return (
    <div className="jp-Runai-empty">
      <p>
        {trans.__('Nothing submitted yet. In a notebook, run these cells:')}
      </p>
      <Snippet
        text={FIRST_CELL}
        label={trans.__('Copy the first cell')}
        actions={actions}
        trans={trans}
      />
      <Snippet
        text={SECOND_CELL}
        label={trans.__('Copy the second cell')}
        actions={actions}
        trans={trans}
      />
    </div>
  );
}

interface ISnippetProps extends IFirstStepsProps {
  readonly text: string;
  readonly label: string;
}

function Snippet({ text, label, actions, trans }: ISnippetProps): JSX.Element {
  const [isCopied, setIsCopied] = useState(false);
  useEffect(() => {
    if (!isCopied) {
      return;
    }
    const timer = setTimeout(() => {
      setIsCopied(false);
    }, COPIED_MS);
    return () => {
      clearTimeout(timer);
    };
  }, [isCopied]);
  const name = isCopied ? trans.__('Copied') : label;
  return (
    <div className="jp-Runai-snippet">
      <pre>{text}</pre>
      <button
        type="button"
        className="jp-Runai-iconButton"
        aria-label={name}
        title={name}
        onClick={() => {
          actions.copy(text);
          setIsCopied(true);
        }}
      >
        {isCopied ? (
          '✓'
        ) : (
          <copyIcon.react tag={null} width="14px" height="14px" />
        )}
      </button>
    </div>
  );
}
