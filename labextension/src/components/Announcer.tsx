import type { TranslationBundle } from '@jupyterlab/translation';
import { useEffect, useState } from 'react';
import type { JSX } from 'react';

import { stateSentence, stateWord } from '../format/words';
import type { IWorkloadChange } from '../model/book';
import type { IEngineModel } from '../tokens';

/** How many changes are told at once: nobody can listen to more. */
const MOST = 5;

/** What the announcer speaks of. */
export interface IAnnouncerProps {
  readonly model: IEngineModel;
  readonly trans: TranslationBundle;
}

/** Tells screen readers, politely, when one of the user's workloads changes its state. */
export function Announcer({ model, trans }: IAnnouncerProps): JSX.Element {
  const [said, say] = useState('');
  useEffect(() => {
    let frame = 0;
    let sentences: string[] = [];
    const onChanged = (_: unknown, change: IWorkloadChange): void => {
      const { before, after } = change;
      if (after === null || !model.isMine(after)) {
        return;
      }
      if (before && stateWord(before, trans) === stateWord(after, trans)) {
        return;
      }
      if (sentences.length < MOST) {
        sentences.push(stateSentence(after, trans));
      }
      frame ||= requestAnimationFrame(() => {
        say(sentences.join('. '));
        sentences = [];
        frame = 0;
      });
    };
    model.workloadChanged.connect(onChanged);
    return () => {
      model.workloadChanged.disconnect(onChanged);
      cancelAnimationFrame(frame);
    };
  }, [model, trans]);
  return (
    <div className="jp-Runai-announcer" aria-live="polite">
      {said}
    </div>
  );
}
