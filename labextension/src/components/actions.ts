import type { IWorkload } from '../wire';

/** What people can do from the panel; whoever shows the view says how. */
export interface IActions {
  /** Show all about the workload. */
  openDetails(workload: IWorkload): void;

  /** Show all workloads. */
  openTable(): void;

  /** Show who used what. */
  openAnalytics(): void;

  /** Submit a workload through a dialog. */
  submit(): void;

  /** Make a workspace through a dialog. */
  newWorkspace(): void;

  /** Show a notebook on the workspace of that name. */
  openWorkspace(name: string): void;

  /** Make another workspace like it. */
  copyWorkspace(name: string): void;

  /** End the workspace, and offer it no longer. */
  deleteWorkspace(name: string): void;

  /** End the workload for good. */
  stop(workload: IWorkload): void;

  /** Free what the workload holds and keep it. */
  suspend(workload: IWorkload): void;

  /** Let the suspended workload wait again. */
  resume(workload: IWorkload): void;

  /** Put off what a rule is to do to the workload. */
  snooze(workload: IWorkload): void;

  /** Change to simulated devices, or with null to the machine's own. */
  simulate(devices: string | null): void;

  /** Put a text on the clipboard. */
  copy(text: string): void;
}

/** What people can do with a workload wherever it is shown. */
export type WorkloadActions = Pick<
  IActions,
  'stop' | 'suspend' | 'resume' | 'snooze'
>;

/** What people can do from the table, by the workloads' ids. */
export interface ITableActions {
  openDetails(id: string): void;
  stopAll(ids: readonly string[]): void;
  suspendAll(ids: readonly string[]): void;
  resumeAll(ids: readonly string[]): void;
  deleteAll(ids: readonly string[]): void;

  /** Submit a workload through a dialog. */
  submit(): void;

  /** Save a text as a file. */
  save(name: string, text: string): void;
}
