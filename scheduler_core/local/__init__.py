"""The engine on one machine: a daemon that outlives Jupyter, and the client that talks to it."""

from scheduler_core.local.engine import LocalEngine

__all__ = ["LocalEngine"]
