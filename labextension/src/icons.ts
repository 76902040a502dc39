import { LabIcon } from '@jupyterlab/ui-components';

import chartSvg from '../style/icons/chart.svg';
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

/** Three bars: who used what. */
export const chartIcon = new LabIcon({
  name: 'jupyter-runai:chart',
  svgstr: chartSvg
});
