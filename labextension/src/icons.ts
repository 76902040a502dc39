import { LabIcon } from '@jupyterlab/ui-components';

import gpuSvg from '../style/icons/gpu.svg';
import pauseSvg from '../style/icons/pause.svg';

/** A device, half of it taken. */
export const gpuIcon = new LabIcon({
  name: 'jupyter-runai:gpu',
  svgstr: gpuSvg
});

/** Two bars: what is suspended waits for its user. */
export const pauseIcon = new LabIcon({
  name: 'jupyter-runai:pause',
  svgstr: pauseSvg
});
