import { ILayoutRestorer } from '@jupyterlab/application';
import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { WidgetTracker } from '@jupyterlab/apputils';
import type { MainAreaWidget } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSONObject } from '@lumino/coreutils';

import type { IChoice } from '../analytics/choice';
import { CommandIDs } from '../commands';
import { toJson } from '../json';
import { IEngineModel } from '../tokens';
import type { AnalyticsWidget } from '../widgets/analytics';
import { addTab, doing, forId } from './tabs';

/** The schema of the command. */
const ANALYTICS_ARGS = {
  type: 'object',
  properties: {
    period: {
      enum: ['today', 'week', 'month', 'custom'],
      description: 'The time that it is about'
    },
    from: {
      type: 'string',
      description: 'The first day of a custom period, such as 2026-11-01'
    },
    to: { type: 'string', description: 'Its last day' },
    by: {
      enum: ['project', 'user', 'workload', 'device'],
      description: 'By what use is told apart'
    }
  }
} satisfies JSONObject;

type AnalyticsTracker = WidgetTracker<MainAreaWidget<AnalyticsWidget>>;

/** Who used what, in the main area, restored with what was chosen. */
export const analyticsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-runai:analytics',
  description: 'Shows who used what, what waited, and what it cost.',
  autoStart: true,
  requires: [IEngineModel],
  optional: [ITranslator, ILayoutRestorer],
  activate: (
    app: JupyterFrontEnd,
    model: IEngineModel,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('jupyter_runai');
    const tracker: AnalyticsTracker = new WidgetTracker({
      namespace: 'runai-analytics'
    });
    app.commands.addCommand(CommandIDs.openAnalytics, {
      label: trans.__('Show GPU Analytics'),
      caption: trans.__('Who used what, what waited, and what it cost'),
      describedBy: { args: ANALYTICS_ARGS },
      execute: async args => {
        const known = tracker.currentWidget;
        const { choiceOf } = await import('../analytics/choice');
        if (known === null) {
          await open(app, model, tracker, choiceOf(args), trans);
          return;
        }
        if (Object.keys(args).length > 0) {
          known.content.choose(choiceOf(args));
        }
        app.shell.activateById(known.id);
      }
    });
    void restorer?.restore(tracker, {
      command: CommandIDs.openAnalytics,
      args: ({ content }) => toJson(content.choice),
      name: () => 'analytics'
    });
  }
};

async function open(
  app: JupyterFrontEnd,
  model: IEngineModel,
  tracker: AnalyticsTracker,
  choice: IChoice,
  trans: TranslationBundle
): Promise<void> {
  const { AnalyticsWidget } = await import('../widgets/analytics');
  const content = new AnalyticsWidget({
    model,
    choice,
    trans,
    openDetails: forId(app, CommandIDs.openDetails),
    submit: doing(app, CommandIDs.newWorkload)
  });
  const widget = await addTab(app, tracker, 'jp-runai-analytics', content);
  content.choiceChanged.connect(() => {
    void tracker.save(widget);
  });
}
