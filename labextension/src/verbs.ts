import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';

import { actOn, tellRefusals } from './acting';
import type { IOutcome } from './acting';
import { CommandIDs, WORKLOADS_ARGS, workloadsOf } from './commands';
import {
  hasEnded,
  isResumable,
  isSnoozable,
  isStoppable,
  isSuspendable
} from './model/workloads';
import type { IEngineModel } from './tokens';
import type { IWorkload } from './wire';

/** How long a deletion can be taken back by a click, in milliseconds. */
const UNDO_MS = 15_000;

/** Something that can be done to workloads. */
interface IVerb {
  readonly command: string;

  /** As it is in the palette, where no workload is named yet. */
  readonly label: string;
  readonly caption: string;
  readonly question: string;

  /** As it is for one workload. */
  readonly labelOf: (name: string) => string;
  readonly isFor: (workload: IWorkload) => boolean;
  readonly act: (id: string) => Promise<unknown>;
  readonly then?: (outcome: IOutcome) => void;
}

/** Add the commands for what can be done to workloads: stop, suspend, resume, put off, delete. */
export function addVerbs(
  commands: CommandRegistry,
  model: IEngineModel,
  trans: TranslationBundle
): void {
  for (const verb of verbs(model, trans)) {
    addVerb(commands, model, verb, trans);
  }
}

function addVerb(
  commands: CommandRegistry,
  model: IEngineModel,
  verb: IVerb,
  trans: TranslationBundle
): void {
  const eligible = (): IWorkload[] =>
    model.workloads.filter(each => model.isMine(each) && verb.isFor(each));
  const choose = async (): Promise<readonly string[]> => {
    const { chooseWorkload } = await import('./choose');
    const id = await chooseWorkload(eligible(), verb.question, trans);
    return id === null ? [] : [id];
  };
  commands.addCommand(verb.command, {
    label: args => {
      const [id] = workloadsOf(args) ?? [];
      const name = model.workload(id ?? '')?.name;
      return name === undefined ? verb.label : verb.labelOf(name);
    },
    caption: verb.caption,
    describedBy: { args: WORKLOADS_ARGS },
    isEnabled: args => workloadsOf(args) !== null || eligible().length > 0,
    execute: async args => {
      const ids = workloadsOf(args) ?? (await choose());
      const outcome = await actOn(ids, verb.act);
      tellRefusals(outcome, trans);
      verb.then?.(outcome);
    }
  });
}

function verbs(model: IEngineModel, trans: TranslationBundle): IVerb[] {
  return [
    {
      command: CommandIDs.stopWorkload,
      label: trans.__('Stop a GPU Workload…'),
      caption: trans.__('End a workload for good'),
      question: trans.__('Stop which workload?'),
      labelOf: name => trans.__('Stop %1', name),
      isFor: isStoppable,
      act: id => model.requests.stop(id)
    },
    {
      command: CommandIDs.suspendWorkload,
      label: trans.__('Suspend a GPU Workload…'),
      caption: trans.__('Free what a workload holds and keep it'),
      question: trans.__('Suspend which workload?'),
      labelOf: name => trans.__('Suspend %1', name),
      isFor: isSuspendable,
      act: id => model.requests.suspend(id)
    },
    {
      command: CommandIDs.resumeWorkload,
      label: trans.__('Resume a GPU Workload…'),
      caption: trans.__('Let a suspended workload wait for its devices again'),
      question: trans.__('Resume which workload?'),
      labelOf: name => trans.__('Resume %1', name),
      isFor: isResumable,
      act: id => model.requests.resume(id)
    },
    {
      command: CommandIDs.snoozeWorkload,
      label: trans.__('Let a GPU Workload Be Idle for Longer…'),
      caption: trans.__('Put off, once, what a rule is to do to it'),
      question: trans.__('Let which workload be idle for longer?'),
      labelOf: name => trans.__('Let %1 be idle for longer', name),
      isFor: isSnoozable,
      act: id => model.requests.snooze(id)
    },
    {
      command: CommandIDs.deleteWorkload,
      label: trans.__('Delete a GPU Workload…'),
      caption: trans.__('Delete an ended workload; it can be had back'),
      question: trans.__('Delete which workload?'),
      labelOf: name => trans.__('Delete %1', name),
      isFor: hasEnded,
      act: id => model.requests.delete(id),
      then: ({ done }) => {
        if (done.length > 0) {
          offerUndo(done, model, trans);
        }
      }
    }
  ];
}

function offerUndo(
  ids: readonly string[],
  model: IEngineModel,
  trans: TranslationBundle
): void {
  Notification.info(
    trans._n('%1 workload deleted', '%1 workloads deleted', ids.length),
    {
      autoClose: UNDO_MS,
      actions: [
        {
          label: trans.__('Undo'),
          caption: trans.__('Bring back what was deleted'),
          callback: () => {
            void actOn(ids, id => model.requests.restore(id)).then(outcome => {
              tellRefusals(outcome, trans);
            });
          }
        }
      ]
    }
  );
}
