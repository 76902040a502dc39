import { LabIcon } from '@jupyterlab/ui-components';

import gpuSvg from '../style/icons/gpu.svg';

/** A device, half of it taken. */
export const gpuIcon = new LabIcon({
  name: 'jupyter-runai:gpu',
  svgstr: gpuSvg
});
