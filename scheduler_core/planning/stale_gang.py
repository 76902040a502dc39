"""The stale_gang action: a gang that has been below its minimum for longer than the grace gives up what it holds."""

from __future__ import annotations

from scheduler_core.planning.gangs import Gang
from scheduler_core.planning.state import Cause, State
from scheduler_core.planning.surplus import Remainder


def evict_stale_gangs(state: State) -> None:
    """End such gangs, non-preemptible ones too; nobody benefits directly."""
    config, now = state.snapshot.config, state.snapshot.time
    if config.stale_gang_grace_s < 0:
        return
    for gang in state.gangs:
        since = now if gang.workload.stale_since is None else gang.workload.stale_since
        if now - since >= config.stale_gang_grace_s and _can_be_stale(gang) and _is_below(gang):
            reason = f"below its minimum for {now - since:g} s of {config.stale_gang_grace_s:g} s grace"
            for k in list(gang.homes):
                state.evict(gang, k, Cause("stale_gang", None, reason))


def _can_be_stale(gang: Gang) -> bool:
    """Something of it runs where it ran, nothing is done, and it is not whole at first sight."""
    states = {task.state for task in gang.tasks}
    if not gang.homes or (states == {"running"} and gang.workload.groups is None) or "done" in states:
        return False
    return not any(home.fresh for home in gang.homes.values())


def _is_below(gang: Gang) -> bool:
    """Tasks that are releasing or stuck still count for the minimum."""
    leaving: dict[str, int] = {}
    for task in gang.tasks:
        if task.state in ("releasing", "stuck"):
            leaving[task.group] = leaving.get(task.group, 0) + 1
    return Remainder(gang, more=leaving).is_below()
