"""The engine on one machine: a daemon that outlives Jupyter, and the client that talks to it."""

from scheduler_core.local.engine import LocalEngine
from scheduler_core.local.machine.paths import ENGINE_DIRECTORY_VARIABLE

__all__ = ["ENGINE_DIRECTORY_VARIABLE", "LocalEngine"]
