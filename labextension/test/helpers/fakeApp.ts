import type { JupyterFrontEnd } from '@jupyterlab/application';
import { CommandRegistry } from '@lumino/commands';
import type { Widget } from '@lumino/widgets';

import { fakeSettings } from './fakeServer';

/** As much of an application as the plugins use. */
export class FakeApp {
  readonly commands = new CommandRegistry();
  readonly serviceManager = { serverSettings: fakeSettings() };
  readonly added: { widget: Widget; area: string; rank: number | undefined }[] =
    [];
  activated: string | null = null;

  readonly shell = {
    add: (widget: Widget, area: string, options?: { rank?: number }) => {
      this.added.push({ widget, area, rank: options?.rank });
    },
    activateById: (id: string) => {
      this.activated = id;
    }
  };

  /** The same, as the plugins expect it. */
  get frontEnd(): JupyterFrontEnd {
    return this as unknown as JupyterFrontEnd;
  }
}
