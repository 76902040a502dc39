import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSX } from 'react';

import { chartIcon } from '../icons';
import type { IArrangement } from '../panel/arrangement';
import type { IEngineModel, IWorkspaces } from '../tokens';
import type { IEngineInfo } from '../wire';
import type { IActions } from './actions';
import { Announcer } from './Announcer';
import { Arrangement } from './Arrangement';
import { Devices } from './Devices';
import { useChanges, useNow } from './hooks';
import { Indicator } from './Indicator';
import { NoEngine } from './NoEngine';
import { hasBounds, Queues } from './Queues';
import { Workloads } from './Workloads';
import { Workspaces } from './Workspaces';

/** What the panel shows. */
export interface IPanelProps {
  readonly model: IEngineModel;
  readonly workspaces: IWorkspaces;
  readonly actions: IActions;
  readonly trans: TranslationBundle;

  /** Whether somebody can see it: nothing moves while nobody looks. */
  readonly isVisible: boolean;

  /** How the sections are arranged at first. */
  readonly arrangement: IArrangement;

  /** Told each change of that. */
  readonly arrange: (arrangement: IArrangement) => void;
}

/** The side panel: devices, queues and the user's workloads, live. */
export function Panel(props: IPanelProps): JSX.Element {
  const { model, actions, trans, isVisible } = props;
  useChanges(model, isVisible);
  const { connection, info } = model;
  const isStale = connection.phase !== 'live';
  const clock = useNow(isVisible && !isStale);
  // What is old does not grow older: it stays as it was last heard.
  const now =
    isStale && connection.heard !== null ? connection.heard / 1000 : clock;
  return (
    <div className="jp-Runai-panel">
      <div className="jp-Runai-header">
        <h2 className="jp-Runai-title">
          {info?.simulated ? trans.__('GPU (simulated)') : trans.__('GPU')}
        </h2>
        <Indicator connection={connection} trans={trans} />
        <AnalyticsButton open={actions.openAnalytics} trans={trans} />
      </div>
      <NoEngine connection={connection} trans={trans} />
      {info === null ? null : (
        <Sections {...props} info={info} now={now} isStale={isStale} />
      )}
      <Announcer model={model} trans={trans} />
    </div>
  );
}

interface ISectionsProps extends IPanelProps {
  readonly info: IEngineInfo;
  readonly now: number;
  readonly isStale: boolean;
}

/** What the engine knows, arranged as the user wants it. */
function Sections(props: ISectionsProps): JSX.Element {
  const { model, workspaces, info, actions, trans, isVisible } = props;
  const { now, isStale, arrangement, arrange } = props;
  return (
    <div className={`jp-Runai-body${isStale ? ' jp-mod-stale' : ''}`}>
      <Arrangement
        first={arrangement}
        change={arrange}
        sections={{
          devices: (
            <Devices
              model={model}
              info={info}
              actions={actions}
              trans={trans}
            />
          ),
          queues: hasBounds(model.queues) ? (
            <Queues queues={model.queues} trans={trans} />
          ) : null,
          workloads: (
            <Workloads
              model={model}
              actions={actions}
              trans={trans}
              now={now}
            />
          ),
          workspaces: (
            <Workspaces
              workspaces={workspaces}
              actions={actions}
              trans={trans}
              isVisible={isVisible}
              now={now}
            />
          )
        }}
      />
    </div>
  );
}

interface IAnalyticsButtonProps {
  readonly open: () => void;
  readonly trans: TranslationBundle;
}

function AnalyticsButton(props: IAnalyticsButtonProps): JSX.Element {
  const name = props.trans.__('GPU analytics');
  return (
    <button
      type="button"
      className="jp-Runai-iconButton"
      aria-label={name}
      title={name}
      onClick={props.open}
    >
      <chartIcon.react tag={null} width="16px" height="16px" />
    </button>
  );
}
