"""What daemon and clients agree on; a change that an older side would misread raises PROTOCOL."""

from __future__ import annotations

from msgspec import Struct

from scheduler_core.workload import WorkloadSpec

PROTOCOL = 8

COMPLETE = 1000
"""The close code of a stream that said all it had to say; a daemon that dies gives none."""

OFFSET_SIZE = 8
"""Before a piece of output comes its offset: so many bytes, the highest first."""

ENDPOINT_FILE = "endpoint.json"
LOCK_FILE = "daemon.lock"
LOG_FILE = "daemon.log"
STAGING = "staging"
"""A folder in the engine directory, in which clients put what they submit."""


class Endpoint(Struct, frozen=True, kw_only=True):
    """Where a daemon listens, written into its engine directory once it does.

    Of a shared engine it lies where all users look, and names the engine's `directory`.
    """

    socket: str
    pid: int
    protocol: int
    directory: str | None = None


class Submission(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A submitted workload; `inputs` names a staging folder that the engine takes over."""

    spec: WorkloadSpec
    inputs: str | None = None


class Simulate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which devices to simulate, such as `2xA100-80GB`; null for the machine's own."""

    devices: str | None


class PolicyText(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of policies, to be checked."""

    text: str
