"""What people are in a project, and what that lets them do there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias, get_args

from msgspec import Struct

Role: TypeAlias = Literal["viewer", "researcher", "manager", "administrator"]
Granted: TypeAlias = Literal["submit", "decide", "read", "audit"]
"""Submit to a project; of others' work in it decide on it, read what it says, and read who did what to it."""

GRANTS: Mapping[Granted, tuple[Role, ...]] = {
    "submit": ("researcher", "manager", "administrator"),
    "decide": ("manager", "administrator"),
    "read": ("viewer", "administrator"),
    "audit": ("viewer", "manager", "administrator"),
}


class Roles(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The users who have each role; where no researcher is named, everybody is one."""

    viewer: tuple[str, ...] = ()
    researcher: tuple[str, ...] | None = None
    manager: tuple[str, ...] = ()
    administrator: tuple[str, ...] = ()

    def of(self, user: str) -> tuple[Role, ...]:
        """The roles of a user."""
        return tuple(role for role in get_args(Role) if self._has(role, user))

    def lets(self, user: str, granted: Granted) -> bool:
        """Whether one of a user's roles grants this."""
        return any(self._has(role, user) for role in GRANTS[granted])

    def named(self, granted: Granted) -> tuple[str, ...]:
        """The users who are named for a role that grants this."""
        return tuple(dict.fromkeys(user for role in GRANTS[granted] for user in getattr(self, role) or ()))

    def within(self, wider: Roles) -> Roles:
        """These roles, and those that people have around: in the department, or everywhere."""
        both = [known for known in (wider.researcher, self.researcher) if known is not None]
        return Roles(
            viewer=wider.viewer + self.viewer,
            researcher=sum(both, ()) if both else None,
            manager=wider.manager + self.manager,
            administrator=wider.administrator + self.administrator,
        )

    def _has(self, role: Role, user: str) -> bool:
        users: tuple[str, ...] | None = getattr(self, role)
        return users is None or user in users


def worded(granted: Granted) -> str:
    """The roles that grant this: `the role manager or administrator`."""
    *first, last = GRANTS[granted]
    return f"the role {', '.join(first)} or {last}"
