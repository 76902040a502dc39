"""What a browser tab and the server tell each other on the tab's WebSocket."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

from jupyter_runai.server.wire import Time
from scheduler_core.workload import Event, Measurement, Step

Topic: TypeAlias = Literal["events", "log", "measurements"]
_Id = Annotated[str, Meta(min_length=1)]
_Offset = Annotated[int, Meta(ge=1 - 2**63, le=2**63 - 1)]


class Follow(Struct, frozen=True, tag="follow", forbid_unknown_fields=True):
    """Send the log of a workload from this byte on, below zero from so many bytes before its end."""

    workload: _Id
    offset: _Offset = 0


class Unfollow(Struct, frozen=True, tag="unfollow", forbid_unknown_fields=True):
    """Send it no more."""

    workload: _Id


class Measure(Struct, frozen=True, tag="measure", forbid_unknown_fields=True):
    """Send what a workload used in such steps, from `since` (seconds since the epoch) on and as it is measured."""

    workload: _Id
    step: Step
    since: Time = 0.0


class Unmeasure(Struct, frozen=True, tag="unmeasure", forbid_unknown_fields=True):
    """Send it no more."""

    workload: _Id
    step: Step


class LogChunk(Struct, frozen=True, tag="log"):
    """A piece of a log that starts at byte `offset`; the next one starts at `next`."""

    workload: str
    offset: int
    next: int
    text: str


class LogEnd(Struct, frozen=True, tag="log_end"):
    """The workload has ended and all its output was sent."""

    workload: str


class Measurements(Struct, frozen=True, tag="measurements"):
    """What a workload used, oldest first: instead of what was sent of the same times, after what was sent of others."""

    workload: str
    step: Step
    measurements: tuple[Measurement, ...]


class StreamError(Struct, frozen=True, tag="error"):
    """Why the stream, or what is sent of one workload, ends."""

    code: str
    message: str
    hint: str
    topic: Topic
    workload: str | None = None


ClientMessage: TypeAlias = Follow | Unfollow | Measure | Unmeasure
ServerMessage: TypeAlias = Event | LogChunk | LogEnd | Measurements | StreamError
