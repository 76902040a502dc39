import { modelPlugin } from './plugins/model';

export { IEngineModel } from './tokens';

export default [modelPlugin];
