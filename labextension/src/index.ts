import { commandsPlugin } from './plugins/commands';
import { logPlugin } from './plugins/log';
import { modelPlugin } from './plugins/model';
import { panelPlugin } from './plugins/panel';
import { statusPlugin } from './plugins/status';
import { tablePlugin } from './plugins/table';

export { IEngineModel } from './tokens';

export default [
  modelPlugin,
  panelPlugin,
  logPlugin,
  tablePlugin,
  statusPlugin,
  commandsPlugin
];
