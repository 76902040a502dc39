import { analyticsPlugin } from './plugins/analytics';
import { cellsPlugin } from './plugins/cells';
import { commandsPlugin } from './plugins/commands';
import { detailsPlugin } from './plugins/details';
import { leasePlugin } from './plugins/lease';
import { logPlugin } from './plugins/log';
import { modelPlugin } from './plugins/model';
import { notificationsPlugin } from './plugins/notifications';
import { panelPlugin } from './plugins/panel';
import { runningPlugin } from './plugins/running';
import { statusPlugin } from './plugins/status';
import { submitPlugin } from './plugins/submit';
import { tablePlugin } from './plugins/table';

export { IEngineModel } from './tokens';

export default [
  modelPlugin,
  panelPlugin,
  logPlugin,
  detailsPlugin,
  tablePlugin,
  analyticsPlugin,
  submitPlugin,
  statusPlugin,
  cellsPlugin,
  leasePlugin,
  runningPlugin,
  notificationsPlugin,
  commandsPlugin
];
