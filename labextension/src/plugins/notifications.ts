import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { CommandIDs } from '../commands';
import type { IWorkloadChange } from '../model/book';
import { newsOf } from '../news/news';
import { IEngineModel } from '../tokens';
import { doing, forId } from './tabs';

/** What is told where the settings say nothing; as in the schema. */
const USUAL: ReadonlyPartialJSONObject = { longSeconds: 60 };

/** Tells the user what becomes of their workloads while they look elsewhere. */
export const notificationsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-runai:notifications',
  description: 'Notifies of what becomes of my GPU workloads.',
  autoStart: true,
  requires: [IEngineModel],
  optional: [ITranslator, ISettingRegistry],
  activate: (
    app: JupyterFrontEnd,
    model: IEngineModel,
    translator: ITranslator | null,
    registry: ISettingRegistry | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('jupyter_runai');
    let wanted = USUAL;
    const teller = import('../news/teller').then(
      ({ NewsTeller }) =>
        new NewsTeller({
          open: forId(app, CommandIDs.openDetails),
          snooze: forId(app, CommandIDs.snoozeWorkload),
          openAll: doing(app, CommandIDs.openTable),
          trans
        })
    );
    model.workloadChanged.connect(
      (_: IEngineModel, change: IWorkloadChange) => {
        if (change.after === null || !model.isMine(change.after)) {
          return;
        }
        const news = newsOf(change, Number(wanted.longSeconds));
        if (news !== null && wanted[news.kind] !== false) {
          void teller.then(it => {
            it.tell(news);
          });
        }
      }
    );
    void registry?.load(notificationsPlugin.id).then(settings => {
      const read = (): void => {
        wanted = { ...USUAL, ...settings.composite };
      };
      settings.changed.connect(read);
      read();
    });
  }
};
