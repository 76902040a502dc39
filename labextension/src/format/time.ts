import { hasEnded } from '../model/workloads';
import type { IWorkload } from '../wire';

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A span of seconds as a clock shows it: "0:41", "1:02:03", from a day on "2d 03:04". */
export function formatElapsed(seconds: number): string {
  // The engine's clock may run ahead of the browser's.
  const whole = Math.max(0, Math.floor(seconds));
  const minutes = Math.floor((whole % HOUR) / MINUTE);
  const hours = Math.floor((whole % DAY) / HOUR);
  if (whole >= DAY) {
    return `${Math.floor(whole / DAY)}d ${pad(hours)}:${pad(minutes)}`;
  }
  const rest = pad(whole % MINUTE);
  return hours > 0 ? `${hours}:${pad(minutes)}:${rest}` : `${minutes}:${rest}`;
}

/** How long a workload has run, or waited where it has not started; `now` is in seconds. */
export function elapsed(workload: IWorkload, now: number): number {
  const end = hasEnded(workload) ? (workload.ended ?? now) : now;
  return end - (workload.started ?? workload.created);
}

/** How long a workload waited before its first start, or has waited until now. */
export function waited(workload: IWorkload, now: number): number {
  const until = workload.started ?? workload.ended ?? now;
  return until - workload.created;
}

/** For how many seconds a workload has been idle; null where it is not, or nobody can tell. */
export function idle(workload: IWorkload, now: number): number | null {
  const since = workload.activity?.idle_since ?? null;
  return since === null || hasEnded(workload) ? null : now - since;
}

/** A day and a time of day, from seconds since the epoch, so that figures below each other align: "2026-01-02 10:41". */
export function formatDate(seconds: number): string {
  return `${formatDay(seconds)} ${formatTime(seconds)}`;
}

/** A time of day, from seconds since the epoch: "10:41". */
export function formatTime(seconds: number): string {
  const date = new Date(seconds * 1000);
  return [date.getHours(), date.getMinutes()].map(pad).join(':');
}

/** A day, from seconds since the epoch: "2026-01-02". */
export function formatDay(seconds: number): string {
  const date = new Date(seconds * 1000);
  const day = [date.getFullYear(), date.getMonth() + 1, date.getDate()];
  return day.map(pad).join('-');
}

/** A time of day, from milliseconds since the epoch. */
export function formatClock(time: number): string {
  return new Date(time).toLocaleTimeString(undefined, { hourCycle: 'h23' });
}

function pad(value: number): string {
  return String(value).padStart(2, '0');
}
