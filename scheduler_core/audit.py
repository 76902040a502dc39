"""Who did what, and when: the entries of an engine's audit log, and what people ask of it."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

AuditAction: TypeAlias = Literal[
    "submit",
    "stop",
    "suspend",
    "resume",
    "resize",
    "scale",
    "snooze",
    "delete",
    "purge",
    "restore",
    "evict",
    "release",
    "configure",
    "simulate",
    "shutdown",
]
ENGINE = "(engine)"
"""Who has done what nobody asked for: no user's name has brackets."""
MOST_ENTRIES = 10_000

Moment: TypeAlias = Annotated[float, Meta(ge=0, le=1e11)]


class AuditEntry(Struct, frozen=True, kw_only=True, gc=False):
    """One thing that was done, as it stands for as long as it is kept.

    `seq` numbers the entries of a log, `at` is in seconds since the epoch. `user` is who asked, `(engine)` where nobody
    did, and for `configure` the owner of the file. `workload` (an id), `name`, `owner` and `project` are what it was
    done to, as that was at the time; those that begin with `for_` say for whose sake a workload was evicted. What does
    not apply is empty.
    """

    seq: int
    at: float
    user: str
    action: AuditAction
    workload: str = ""
    name: str = ""
    owner: str = ""
    project: str = ""
    for_workload: str = ""
    for_name: str = ""
    for_owner: str = ""
    for_project: str = ""
    detail: str = ""


class AuditQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Entries in [since, until), in seconds since the epoch, for which all that is given holds.

    `user` has done it; `workload` (an id or a name) and `project` are what it was done to, or for. At most `limit` are
    answered at once, those behind the mark `after` that an earlier page ended with.
    """

    since: Moment = 0.0
    until: Moment | None = None
    user: str | None = None
    workload: str | None = None
    project: str | None = None
    action: AuditAction | None = None
    newest_first: bool = False
    limit: Annotated[int, Meta(ge=1, le=MOST_ENTRIES)] = 1000
    after: Annotated[str, Meta(pattern=r"^([0-9]{1,15}:[0-9]{1,15})?$")] = ""

    def finds(self, entry: AuditEntry) -> bool:
        """Whether it asks for this entry."""
        return (
            self.since <= entry.at
            and (self.until is None or entry.at < self.until)
            and self.user in (None, entry.user)
            and self.workload in (None, entry.workload, entry.name, entry.for_workload, entry.for_name)
            and self.project in (None, entry.project, entry.for_project)
            and self.action in (None, entry.action)
        )


EVERYTHING = AuditQuery()


class AuditPage(Struct, frozen=True):
    """Entries in their order; `next` goes on behind the last as `after`, null where there are no more."""

    entries: tuple[AuditEntry, ...]
    next: str | None = None
