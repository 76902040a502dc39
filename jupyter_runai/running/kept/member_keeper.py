"""Keeps any task but the first: it runs what task 0 hands on."""

from __future__ import annotations

import shutil

from .gang_member import Membership
from .kept_task import TERMINATED, Keeper


class MemberKeeper(Keeper):
    """Of any other task."""

    async def _keep(self) -> int:
        task, status = self._task, 0
        member = Membership(task.meeting, task.cell, task.store, task.own)
        if await self._first(member.join()) is None:
            return TERMINATED
        while True:
            order = await self._first(member.next_order())
            if order is None:
                return status if member.left.is_set() else self._done() if self._is_idle else TERMINATED
            self._is_idle = False
            ended = await member.loss.unless(self._start(order))
            if task.store is not None:
                shutil.rmtree(order["folder"], ignore_errors=True)
            status = 0 if member.was_ended else ended.status
            member.tell(ended)
            if member.left.is_set() or (ended.said is None and not member.was_ended):
                return ended.status
            self._is_idle = True
