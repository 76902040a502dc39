import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

/** The periods that people choose from. */
export const PERIODS = ['today', 'week', 'month', 'custom'] as const;

/** Which time the page is about. */
export type Period = (typeof PERIODS)[number];

/** What people can tell apart. */
export const GROUPS = ['project', 'user', 'workload', 'device'] as const;

/** By what use is told apart. */
export type Group = (typeof GROUPS)[number];

/** What the page is asked to show. */
export interface IChoice {
  readonly period: Period;

  /** The first and the last day of a custom period, as "2026-11-01"; empty while nobody has chosen. */
  readonly from: string;
  readonly to: string;

  readonly by: Group;
}

/** What is shown at first. */
export const FIRST_CHOICE: IChoice = {
  period: 'week',
  from: '',
  to: '',
  by: 'project'
};

const DAY = /^\d{4}-\d\d-\d\d$/;

/** What a command's arguments, or a restored layout, ask for; the rest is as at first. */
export function choiceOf(args: ReadonlyPartialJSONObject): IChoice {
  return {
    period: PERIODS.find(each => each === args.period) ?? FIRST_CHOICE.period,
    from: day(args.from),
    to: day(args.to),
    by: GROUPS.find(each => each === args.by) ?? FIRST_CHOICE.by
  };
}

function day(value: unknown): string {
  return typeof value === 'string' && DAY.test(value) ? value : '';
}
