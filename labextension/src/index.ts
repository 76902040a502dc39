import { analyticsPlugin } from './plugins/analytics';
import { cellsPlugin } from './plugins/cells';
import { commandsPlugin } from './plugins/commands';
import { detailsPlugin } from './plugins/details';
import { leasePlugin } from './plugins/lease';
import { modelPlugin } from './plugins/model';
import { notificationsPlugin } from './plugins/notifications';
import { panelPlugin } from './plugins/panel';
import { runningPlugin } from './plugins/running';
import { statusPlugin } from './plugins/status';
import { submitPlugin } from './plugins/submit';
import { tablePlugin } from './plugins/table';
import { workspacesPlugin } from './plugins/workspaces';

export { IEngineModel, IWorkspaces } from './tokens';

export default [
  modelPlugin,
  workspacesPlugin,
  panelPlugin,
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
