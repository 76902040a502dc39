"""People's roles as text."""

from __future__ import annotations

from scheduler_core.workload import EngineInfo


def roles_text(info: EngineInfo) -> list[str]:
    """What somebody is on a shared engine, a line each; nothing of an engine of one's own."""
    lines = [f"In project {project}: {', '.join(roles) or 'no role'}." for project, roles in sorted(info.roles.items())]
    return [*lines, "Administrator of this engine."] if info.administers else lines
