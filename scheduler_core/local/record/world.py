"""What a task learns of itself and its siblings: the variables of torchrun and of plain torch.distributed scripts."""

from __future__ import annotations

from scheduler_core.local.record.records import Record, TaskId

_HOST = "127.0.0.1"


def world_variables(record: Record, index: int) -> dict[str, str]:
    """The variables of one task.

    Each task sees its own devices alone, so to itself it is a node of its own: LOCAL_RANK is 0, and torchrun (PET_*)
    starts a process for each of its devices. Ranks count the tasks that are there: those of a gang that start together
    have them without a gap, and one that comes later is told of no world that it is not part of.
    """
    workload, spec, count = record.workload, record.spec, record.spec.tasks
    variables = {
        "RUNAI_WORKLOAD_ID": workload.id,
        "RUNAI_WORKLOAD_NAME": workload.name,
        "RUNAI_TASK_ID": str(TaskId(workload.id, index)),
        "RUNAI_TASK_INDEX": str(index),
        "RUNAI_TASK_COUNT": str(count),
    }
    if count == 1 or not spec.gang:
        return variables
    present = [number for number, task in enumerate(record.tasks) if task.is_alive]
    devices = max(1, len(allocation.devices) if (allocation := record.tasks[index].allocation) else 1)
    variables |= {
        "RANK": str(present.index(index)),
        "LOCAL_RANK": "0",
        "WORLD_SIZE": str(len(present)),
        "LOCAL_WORLD_SIZE": "1",
        "MASTER_ADDR": _HOST,
        "MASTER_PORT": str(record.port),
        "PET_NNODES": str(count),
        "PET_NPROC_PER_NODE": str(devices),
        "PET_MASTER_ADDR": _HOST,
        "PET_MASTER_PORT": str(record.port),
    }
    if spec.fewest_tasks == count:
        return variables | {"PET_NODE_RANK": str(index)}
    # Tasks that come and go find each other by torchrun's own rendezvous.
    return variables | {
        "PET_NNODES": f"{spec.fewest_tasks}:{count}",
        "PET_RDZV_BACKEND": "c10d",
        "PET_RDZV_ENDPOINT": f"{_HOST}:{record.port}",
        "PET_RDZV_ID": workload.id,
    }
