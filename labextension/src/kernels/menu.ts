import type { CommandRegistry } from '@lumino/commands';
import { Menu } from '@lumino/widgets';

import { CommandIDs } from '../commands';
import { hasEnded, isSuspended } from '../model/workloads';
import type { IWorkload } from '../wire';

/** Show below a button what can be done with what a kernel holds. */
export function openLeaseMenu(
  commands: CommandRegistry,
  workload: IWorkload | null,
  button: HTMLElement
): void {
  const menu = new Menu({ commands });
  menu.addClass('jp-Runai-leaseMenu');
  for (const command of choices(workload)) {
    const args = workload === null ? {} : { workload: workload.id };
    menu.addItem({ command, args });
  }
  menu.aboutToClose.connect(() => {
    button.focus();
    // What was chosen is done after the menu has closed.
    requestAnimationFrame(() => {
      menu.dispose();
    });
  });
  const { left, bottom } = button.getBoundingClientRect();
  menu.open(left, bottom);
}

function choices(workload: IWorkload | null): string[] {
  if (workload === null || hasEnded(workload)) {
    return [CommandIDs.startKernel];
  }
  return [
    CommandIDs.resizeWorkload,
    isSuspended(workload) ? CommandIDs.resumeWorkload : CommandIDs.releaseGpu,
    CommandIDs.startKernel,
    CommandIDs.openDetails
  ];
}
