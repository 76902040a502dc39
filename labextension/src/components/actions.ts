import type { IWorkload } from '../wire';

/** What people can do from a view; whoever shows the view says how. */
export interface IActions {
  /** Show the workload's log. */
  openLog(workload: IWorkload): void;

  /** End the workload for good. */
  stop(workload: IWorkload): void;

  /** Change to simulated devices, or with null to the machine's own. */
  simulate(devices: string | null): void;

  /** Put a text on the clipboard. */
  copy(text: string): void;
}
