import { analyticsPlugin } from './plugins/analytics';
import { commandsPlugin } from './plugins/commands';
import { detailsPlugin } from './plugins/details';
import { logPlugin } from './plugins/log';
import { modelPlugin } from './plugins/model';
import { panelPlugin } from './plugins/panel';
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
  commandsPlugin
];
