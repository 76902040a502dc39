import type { JSONObject, ReadonlyPartialJSONObject } from '@lumino/coreutils';

/** The ids of this extension's commands. */
export namespace CommandIDs {
  /** Show the side panel. */
  export const openPanel = 'runai:open-panel';

  /** Show all workloads in a table. */
  export const openTable = 'runai:open-table';

  /** Show who used what. */
  export const openAnalytics = 'runai:open-analytics';

  /** Show all about a workload: the one given, else one that the user chooses. */
  export const openDetails = 'runai:open-details';

  /** Submit a workload through a dialog. */
  export const newWorkload = 'runai:new-workload';

  /** Run the current cell as a workload: on what is given, else on what the user says. */
  export const runCell = 'runai:run-cell';

  /** Start the current notebook's kernel on a share of a device. */
  export const startKernel = 'runai:start-kernel';

  /** Make a workspace: of what is given, else of what the user says. */
  export const newWorkspace = 'runai:new-workspace';

  /** Show a notebook on a workspace: the one given, else one that the user chooses. */
  export const openWorkspace = 'runai:open-workspace';

  /** Make another workspace like the one given, else like one that the user chooses. */
  export const copyWorkspace = 'runai:copy-workspace';

  /** End a workspace and offer it no longer: the one given, else one that the user chooses. */
  export const deleteWorkspace = 'runai:delete-workspace';

  /** Let a kernel give its devices back: the one given, else the current notebook's. */
  export const releaseGpu = 'runai:release-gpu';

  /** Change what a workload asks for: the one given, else one that the user chooses. */
  export const resizeWorkload = 'runai:resize-workload';

  /** Show a workload's log: the one given, else one that the user chooses. */
  export const openLog = 'runai:open-log';

  /** End workloads for good: those given, else one that the user chooses. */
  export const stopWorkload = 'runai:stop-workload';

  /** Free what workloads hold and keep them: those given, else one that the user chooses. */
  export const suspendWorkload = 'runai:suspend-workload';

  /** Let suspended workloads wait again: those given, else one that the user chooses. */
  export const resumeWorkload = 'runai:resume-workload';

  /** Put off what a rule is to do to idle workloads: those given, else one that the user chooses. */
  export const snoozeWorkload = 'runai:snooze-workload';

  /** Delete ended workloads: those given, else one that the user chooses. */
  export const deleteWorkload = 'runai:delete-workload';

  /** Change to simulated devices. */
  export const simulateDevices = 'runai:simulate-devices';

  /** Change back to the machine's own devices. */
  export const useOwnDevices = 'runai:use-own-devices';
}

/** The devices to simulate where nobody said which. */
export const EXAMPLE_DEVICES = '2xA100-80GB';

/** The schema of commands without arguments. */
export const NO_ARGS = { type: 'object', properties: {} } satisfies JSONObject;

/** The schema of commands for one workload. */
export const WORKLOAD_ARGS = {
  type: 'object',
  properties: {
    workload: {
      type: 'string',
      description: 'The id of the workload; without it the user chooses one'
    }
  }
} satisfies JSONObject;

/** The schema of commands for one workload or several. */
export const WORKLOADS_ARGS = {
  type: 'object',
  properties: {
    ...WORKLOAD_ARGS.properties,
    workloads: {
      type: 'array',
      items: { type: 'string' },
      description: 'The ids of several workloads'
    }
  }
} satisfies JSONObject;

/** The schema of the command that submits a workload. */
export const NEW_ARGS = {
  type: 'object',
  properties: {
    copy: {
      type: 'string',
      description:
        'The id of the workload whose submission the dialog begins with'
    },
    change: {
      type: 'object',
      description: 'What to change of it: request, min_tasks, priority'
    },
    command: {
      type: 'string',
      description: 'The command line that the dialog begins with'
    }
  }
} satisfies JSONObject;

/** What a kernel on a share of a device is asked for. */
const SHARE_PROPERTIES = {
  gpu: {
    type: 'string',
    description:
      'A share such as 0.5, or whole devices such as 2; without it the user is asked'
  },
  project: { type: 'string', description: 'Whose quota it takes' },
  preemptible: {
    type: 'boolean',
    description: 'Whether it may be evicted for others'
  }
} satisfies JSONObject;

const NAME_PROPERTY = {
  name: {
    type: 'string',
    description: 'Its name; without it the user is asked for all'
  }
} satisfies JSONObject;

const ENVIRONMENT_PROPERTY = {
  environment: {
    type: 'string',
    description: 'The name of the environment that it runs in'
  }
} satisfies JSONObject;

/** The schema of the command that starts a kernel. */
export const START_KERNEL_ARGS = {
  type: 'object',
  properties: { ...SHARE_PROPERTIES, ...ENVIRONMENT_PROPERTY }
} satisfies JSONObject;

/** The schema of the command that makes a workspace. */
export const NEW_WORKSPACE_ARGS = {
  type: 'object',
  properties: { ...NAME_PROPERTY, ...START_KERNEL_ARGS.properties }
} satisfies JSONObject;

/** The schema of commands for one workspace. */
export const WORKSPACE_ARGS = {
  type: 'object',
  properties: {
    workspace: {
      type: 'string',
      description: 'The name of the workspace; without it the user chooses one'
    }
  }
} satisfies JSONObject;

/** The schema of the command that copies a workspace. */
export const COPY_WORKSPACE_ARGS = {
  type: 'object',
  properties: {
    ...WORKSPACE_ARGS.properties,
    ...NAME_PROPERTY,
    ...SHARE_PROPERTIES
  }
} satisfies JSONObject;

/** The schema of the command that changes what a workload asks for. */
export const RESIZE_ARGS = {
  type: 'object',
  properties: {
    ...WORKLOAD_ARGS.properties,
    gpu: SHARE_PROPERTIES.gpu
  }
} satisfies JSONObject;

/** The schema of the command that simulates devices. */
export const DEVICES_ARGS = {
  type: 'object',
  properties: {
    devices: {
      type: 'string',
      description: 'Number, model and memory, such as 2xA100-80GB'
    }
  }
} satisfies JSONObject;

/** The id of the workload that a command is for, if its arguments name one. */
export function workloadOf(args: ReadonlyPartialJSONObject): string | null {
  return typeof args.workload === 'string' ? args.workload : null;
}

/** The ids of the workloads that a command is for, if its arguments name any. */
export function workloadsOf(
  args: ReadonlyPartialJSONObject
): readonly string[] | null {
  const { workloads } = args;
  if (Array.isArray(workloads)) {
    return workloads.filter(
      (id: unknown): id is string => typeof id === 'string'
    );
  }
  const one = workloadOf(args);
  return one === null ? null : [one];
}
