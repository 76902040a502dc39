import { isWaiting } from '../model/workloads';
import type { IWorkload, VerdictCode } from '../wire';

/** Why some workloads wait. */
export interface ICause {
  /** Null for those that nobody has looked at yet. */
  readonly code: VerdictCode | null;
  readonly workloads: number;

  /** Since when the first of them waits, in seconds since the epoch. */
  readonly since: number;
}

/** Why workloads wait now, the most frequent cause first. */
export function causesOf(workloads: readonly IWorkload[]): ICause[] {
  const causes = new Map<VerdictCode | null, ICause>();
  for (const workload of workloads.filter(isWaiting)) {
    const code = workload.verdict?.code ?? null;
    const known = causes.get(code);
    causes.set(code, {
      code,
      workloads: (known?.workloads ?? 0) + 1,
      since: Math.min(known?.since ?? Infinity, workload.created)
    });
  }
  return [...causes.values()].sort(
    (one, other) => other.workloads - one.workloads || one.since - other.since
  );
}
