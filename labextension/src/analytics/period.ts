import type { IUsage } from '../wire';
import type { IChoice } from './choice';

/** A part of time, in seconds since the epoch. */
export interface ISpan {
  readonly since: number;

  /** Where it ends; null up to now. */
  readonly until: number | null;
}

/** What is shown by steps of this length. */
export type Step = Exclude<IUsage['step'], 'all'>;

/** How long a step is, in seconds. */
export const STEP_S: Readonly<Record<Step, number>> = {
  minute: 60,
  hour: 3600,
  day: 86_400
};

/** Up to how many seconds are shown by minutes, and up to how many by hours. */
const BY_MINUTES = 3 * 3600;
const BY_HOURS = 8 * 86_400;

/** How many days a period goes back before today. */
const DAYS_BACK = { today: 0, week: 6, month: 29 };

/** The time that was chosen, in whole days of this browser's clock; null where that is none. `now` is in seconds. */
export function spanOf(
  { period, from, to }: IChoice,
  now: number
): ISpan | null {
  if (period !== 'custom') {
    return { since: midnight(now, -DAYS_BACK[period]), until: null };
  }
  const first = dayStart(from);
  const last = dayStart(to);
  if (first === null || last === null || last < first) {
    return null;
  }
  const until = midnight(last, 1);
  return { since: first, until: until < now ? until : null };
}

/** By which steps so many seconds are shown. */
export function stepOf(seconds: number): Step {
  if (seconds <= BY_MINUTES) {
    return 'minute';
  }
  return seconds <= BY_HOURS ? 'hour' : 'day';
}

function midnight(seconds: number, days: number): number {
  const date = new Date(seconds * 1000);
  date.setDate(date.getDate() + days);
  return date.setHours(0, 0, 0, 0) / 1000;
}

function dayStart(day: string): number | null {
  const time = new Date(`${day}T00:00`).getTime();
  return Number.isNaN(time) || time < 0 ? null : time / 1000;
}
