import type { TranslationBundle } from '@jupyterlab/translation';
import { copyIcon, deleteIcon, runIcon } from '@jupyterlab/ui-components';
import { useEffect } from 'react';
import type { JSX } from 'react';

import { formatRequest } from '../format/share';
import { idleWords, stateWord } from '../format/words';
import { pauseIcon } from '../icons';
import { isResumable, isSuspendable, isSuspended } from '../model/workloads';
import type { IWorkspaces } from '../tokens';
import type { IWorkload, IWorkspace } from '../wire';
import type { IActions } from './actions';
import { useChanges } from './hooks';
import { PanelSection } from './PanelSection';
import { StateGlyph } from './StateGlyph';
import { IconButton } from './WorkloadButtons';

/** What the section shows. */
export interface IWorkspacesProps {
  readonly workspaces: IWorkspaces;
  readonly actions: IActions;
  readonly trans: TranslationBundle;

  /** Whether somebody can see it. */
  readonly isVisible: boolean;

  /** The time in seconds. */
  readonly now: number;
}

/** Kernels with a name that go on when their notebook is closed. */
export function Workspaces(props: IWorkspacesProps): JSX.Element {
  const { workspaces, actions, trans, isVisible } = props;
  useChanges(workspaces, isVisible);
  useEffect(() => {
    void workspaces.refresh();
  }, [workspaces]);
  const title = trans.__('Workspaces');
  return (
    <PanelSection id="workspaces" title={title} trans={trans}>
      {workspaces.all.length === 0 ? (
        <p className="jp-Runai-hint">
          {trans.__(
            'A workspace is a kernel that goes on when its notebook is closed.'
          )}
        </p>
      ) : (
        <ul className="jp-Runai-workloads" aria-label={title}>
          {workspaces.all.map(workspace => (
            <Row
              key={workspace.name}
              {...props}
              workspace={workspace}
              workload={workspaces.workloadOf(workspace)}
            />
          ))}
        </ul>
      )}
      <div className="jp-Runai-ways">
        <button
          type="button"
          className="jp-Runai-link"
          onClick={actions.newWorkspace}
        >
          <span aria-hidden="true">+</span> {trans.__('New workspace')}
        </button>
      </div>
    </PanelSection>
  );
}

interface IRowProps extends IWorkspacesProps {
  readonly workspace: IWorkspace;
  readonly workload: IWorkload | null;
}

function Row(props: IRowProps): JSX.Element {
  const { workspace, workload, actions, trans, now } = props;
  const { name, request } = workspace;
  return (
    <li className="jp-Runai-workload">
      <div className="jp-Runai-workloadLine jp-mod-workspace">
        <StateGlyph workload={workload} />
        <button
          type="button"
          className="jp-Runai-workloadName"
          title={trans.__('Open the workspace %1', name)}
          onClick={() => {
            actions.openWorkspace(name);
          }}
        >
          {name}
        </button>
        <span className="jp-Runai-number">{formatRequest(request, trans)}</span>
        <Suspend workload={workload} actions={actions} trans={trans} />
        <IconButton
          icon={copyIcon}
          label={trans.__('Copy the workspace %1', name)}
          isEnabled
          act={() => {
            actions.copyWorkspace(name);
          }}
        />
        <IconButton
          icon={deleteIcon}
          label={trans.__('Delete the workspace %1', name)}
          isEnabled
          act={() => {
            actions.deleteWorkspace(name);
          }}
        />
      </div>
      <div className="jp-Runai-detail">
        <span className="jp-Runai-detailLine">
          <span className="jp-Runai-state">
            {workload === null
              ? trans.__('not started')
              : stateWord(workload, trans)}
          </span>
          {workload === null ? null : idleness(workload, now, trans)}
        </span>
      </div>
    </li>
  );
}

function idleness(
  workload: IWorkload,
  now: number,
  trans: TranslationBundle
): string {
  const words = idleWords(workload, now, trans);
  return words === '' ? '' : ` · ${words}`;
}

function Suspend(
  props: Pick<IRowProps, 'workload' | 'actions' | 'trans'>
): JSX.Element {
  const { workload, actions, trans } = props;
  if (workload === null) {
    return <span />;
  }
  return isSuspended(workload) ? (
    <IconButton
      icon={runIcon}
      label={trans.__('Resume the workspace %1', workload.name)}
      isEnabled={isResumable(workload)}
      act={() => {
        actions.resume(workload);
      }}
    />
  ) : (
    <IconButton
      icon={pauseIcon}
      label={trans.__('Suspend the workspace %1', workload.name)}
      isEnabled={isSuspendable(workload)}
      act={() => {
        actions.suspend(workload);
      }}
    />
  );
}
