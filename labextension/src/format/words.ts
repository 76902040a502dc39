import type { TranslationBundle } from '@jupyterlab/translation';

import type { IEnforcement, IWorkload, Strength, VerdictCode } from '../wire';
import { isWaiting } from '../model/workloads';
import { formatMemory, isFraction } from './share';
import { shortModel } from './device';
import { formatElapsed, formatTime, idle } from './time';

/** A workload's state in a word or two. */
export function stateWord(
  workload: IWorkload,
  trans: TranslationBundle
): string {
  if (workload.stop_requested !== null && workload.ended === null) {
    return trans.__('stopping');
  }
  const kept = workload.activity?.kept_until ?? null;
  if (workload.state === 'running' && kept !== null) {
    return trans.__('kept until %1', formatTime(kept));
  }
  switch (workload.state) {
    case 'creating':
    case 'pending':
      return trans.__('waiting');
    case 'initializing':
      return trans.__('starting');
    case 'running':
      return trans.__('running');
    case 'suspending':
      return trans.__('suspending');
    case 'suspended':
      return trans.__('suspended');
    case 'resuming':
      return trans.__('resuming');
    case 'degraded':
      return trans.__('degraded');
    case 'completed':
      return trans.__('completed');
    case 'failed':
      return trans.__('failed');
    case 'stopped':
      return trans.__('stopped');
    case 'deleting':
      return trans.__('deleting');
  }
}

/** What kind of work it is. */
export function kindWord(
  { kind, tasks, gang }: IWorkload,
  trans: TranslationBundle
): string {
  switch (kind) {
    case 'workspace':
      return trans.__('workspace');
    case 'training':
      if (tasks === 1) {
        return trans.__('training');
      }
      return gang ? trans.__('distributed training') : trans.__('array');
    case 'interactive':
      return trans.__('interactive run');
    case 'inference':
      return trans.__('inference');
  }
}

/** A priority by its name, or as a number where it has none. */
export function priorityWord(
  priority: number,
  trans: TranslationBundle
): string {
  switch (priority) {
    case 25:
      return trans.__('very low');
    case 40:
      return trans.__('low');
    case 65:
      return trans.__('medium low');
    case 80:
      return trans.__('medium');
    case 90:
      return trans.__('medium high');
    case 125:
      return trans.__('high');
    case 150:
      return trans.__('very high');
    default:
      return String(priority);
  }
}

/** Whether something is so, in a word. */
export function yesOrNo(value: boolean, trans: TranslationBundle): string {
  return value ? trans.__('yes') : trans.__('no');
}

/** A workload's state as a sign beside the word. */
export function stateGlyph({ state }: IWorkload): string {
  switch (state) {
    case 'creating':
    case 'pending':
      return '◌';
    case 'initializing':
    case 'resuming':
      return '◔';
    case 'completed':
      return '✓';
    case 'failed':
      return '✕';
    case 'stopped':
    case 'deleting':
      return '■';
    case 'suspending':
    case 'suspended':
      return '◍';
    default:
      return '●';
  }
}

/** What became of a workload, as one sentence for those who do not see it. */
export function stateSentence(
  workload: IWorkload,
  trans: TranslationBundle
): string {
  return trans.__('%1: %2', workload.name, stateWord(workload, trans));
}

/** So long nobody calls it idle, in seconds. */
const BRIEF = 60;

/** For how long it has been idle: "idle 12:05"; empty where it is not, only just, or nobody can tell. */
export function idleWords(
  workload: IWorkload,
  now: number,
  trans: TranslationBundle
): string {
  const seconds = idle(workload, now);
  return seconds === null || seconds < BRIEF
    ? ''
    : trans.__('idle %1', formatElapsed(seconds));
}

/** Why it waits, in at most three words. */
export function waitingWords(
  code: VerdictCode,
  trans: TranslationBundle
): string {
  switch (code) {
    case 'placed':
      return trans.__('about to start');
    case 'waiting_release':
      return trans.__('device being freed');
    case 'waiting_turn':
      return trans.__('awaiting its turn');
    case 'over_limit':
      return trans.__('over the limit');
    case 'non_preemptible_over_quota':
      return trans.__('over quota');
    case 'over_fair_share':
      return trans.__('over fair share');
    case 'no_node_fits':
      return trans.__('not enough free');
    case 'fragmented':
      return trans.__('fragmented');
    case 'gang_incomplete':
      return trans.__('gang incomplete');
    case 'gang_does_not_fit':
      return trans.__('gang too large');
    case 'topology_does_not_fit':
      return trans.__('topology too tight');
    case 'victims_protected':
      return trans.__('others are protected');
    case 'never_fits':
      return trans.__('can never start');
    case 'queue_not_found':
      return trans.__('queue not found');
    case 'gated':
      return trans.__('held back');
    case 'search_gave_up':
      return trans.__('search gave up');
  }
}

/** A figure of a verdict by its name. */
export function factWord(name: string, trans: TranslationBundle): string {
  switch (name) {
    case 'requested':
      return trans.__('asked');
    case 'quota':
      return trans.__('quota');
    case 'limit':
      return trans.__('limit');
    case 'fair_share':
      return trans.__('fair share');
    case 'allocated':
      return trans.__('held in the project');
    case 'free_whole_devices':
      return trans.__('whole devices free');
    case 'pool':
      return trans.__('pool');
    case 'largest_free_share':
      return trans.__('largest free share');
    default:
      return name.replaceAll('_', ' ');
  }
}

/** A place in a row: 1st, 2nd, 3rd. */
export function ordinal(place: number, trans: TranslationBundle): string {
  switch (new Intl.PluralRules('en', { type: 'ordinal' }).select(place)) {
    case 'one':
      return trans.__('%1st', place);
    case 'two':
      return trans.__('%1nd', place);
    case 'few':
      return trans.__('%1rd', place);
    default:
      return trans.__('%1th', place);
  }
}

/** Where a waiting workload stands and why, in a few words. */
export function waitingLine(
  workload: IWorkload,
  trans: TranslationBundle
): string {
  const { verdict } = workload;
  if (verdict === null) {
    return trans.__('not looked at yet');
  }
  const words = waitingWords(verdict.code, trans);
  return verdict.queue_position === null
    ? words
    : trans.__('%1 · %2', ordinal(verdict.queue_position, trans), words);
}

/** What a live workload holds and how firmly: "A100 80GB #1 · memory 40 GB hard, compute soft". */
export function placeLine(
  workload: IWorkload,
  trans: TranslationBundle
): string {
  const { allocation } = workload;
  if (allocation === null || allocation.devices.length === 0) {
    return '';
  }
  const devices = allocation.devices
    .map(({ model, index }) =>
      workload.simulated
        ? trans.__('simulated %1 #%2', shortModel(model), String(index))
        : trans.__('%1 #%2', shortModel(model), String(index))
    )
    .join(', ');
  if (!isFraction(workload.request)) {
    return devices;
  }
  const memory = allocation.devices[0]?.memory_mib ?? 0;
  return trans.__(
    '%1 · %2',
    devices,
    enforcementWords(allocation.enforcement, memory, trans)
  );
}

/** How a fraction is held. */
export function enforcementWords(
  enforcement: IEnforcement,
  memory: number,
  trans: TranslationBundle
): string {
  if (enforcement.level === 'none') {
    return trans.__('limit not enforced');
  }
  return trans.__(
    'memory %1 %2, compute %3',
    formatMemory(memory),
    strengthWord(enforcement.memory, trans),
    strengthWord(enforcement.compute, trans)
  );
}

/** How an ended workload ended, where its state alone does not say. */
export function endLine(workload: IWorkload, trans: TranslationBundle): string {
  const error = workload.report?.error;
  if (error) {
    return trans.__('%1: %2', error.type, error.message);
  }
  if (workload.started === null && workload.verdict !== null) {
    return workload.verdict.message;
  }
  if (workload.reason !== '') {
    return workload.reason;
  }
  return workload.state === 'failed' && workload.exit_code !== null
    ? trans.__('exit code %1', String(workload.exit_code))
    : '';
}

/** The line below a workload's name; empty where there is nothing to add. */
export function detailLine(
  workload: IWorkload,
  trans: TranslationBundle
): string {
  if (isWaiting(workload)) {
    return waitingLine(workload, trans);
  }
  return workload.ended === null
    ? placeLine(workload, trans)
    : endLine(workload, trans);
}

/** By what a fraction is held. */
export function levelWord(
  level: IEnforcement['level'],
  trans: TranslationBundle
): string {
  switch (level) {
    case 'device':
      return trans.__('the whole device');
    case 'framework':
      return trans.__('caps in the framework');
    case 'mig':
      return trans.__('MIG');
    case 'mps-v2':
    case 'mps-v3':
      return trans.__('MPS');
    case 'none':
      return trans.__('nothing');
  }
}

/** How strongly a limit is held. */
export function strengthWord(
  strength: Strength,
  trans: TranslationBundle
): string {
  switch (strength) {
    case 'hard':
      return trans.__('hard');
    case 'soft':
      return trans.__('soft');
    case 'none':
      return trans.__('not limited');
  }
}
