"""Events on their way to a client: each is a line of JSON, a long one in several messages."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import TypeAlias

import msgspec
from msgspec.structs import replace

from scheduler_core.errors import EngineDefect
from scheduler_core.workload import EngineState, Event

_WORKLOADS = 256
"""In a message. A state of ten thousand at once would take 10 MB of the daemon, for each slow client."""
_LONGEST_LINE = 256 * 1024 * 1024
_END = b"\n"
_NO_WORKLOADS = b'"workloads":[]'
"""It stands for itself: in a text its quotes would have backslashes."""
Message: TypeAlias = bytes | str


def messages(event: Event) -> Iterator[bytes]:
    """The messages that together are an event's line."""
    if not isinstance(event, EngineState):
        yield msgspec.json.encode(event) + _END
        return
    before, _, after = msgspec.json.encode(replace(event, workloads=())).rpartition(_NO_WORKLOADS)
    yield before + _NO_WORKLOADS[:-1]
    for first in range(0, len(event.workloads), _WORKLOADS):
        some = msgspec.json.encode(event.workloads[first : first + _WORKLOADS])
        yield (b"," if first else b"") + some[1:-1]
    yield _NO_WORKLOADS[-1:] + after + _END


async def events(received: AsyncIterator[Message]) -> AsyncGenerator[Event, None]:
    """The events of such messages.

    Raises:
        EngineDefect: a line does not end.
    """
    decoder = msgspec.json.Decoder(Event)
    line = bytearray()
    async for message in received:
        line += message.encode() if isinstance(message, str) else message
        if line.endswith(_END):
            yield decoder.decode(line)
            line.clear()
        elif len(line) > _LONGEST_LINE:
            raise EngineDefect("The engine tells of an event without end.")
