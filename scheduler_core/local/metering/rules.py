"""Sees to the rules of projects while work runs: it is warned, can be put off once, and then acted on."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

from msgspec.structs import replace

from scheduler_core.errors import Conflict, RunaiError
from scheduler_core.local.access.acts import Act
from scheduler_core.local.metering.activity import Activities
from scheduler_core.local.metering.departures import Departures
from scheduler_core.local.record.records import Record, TaskId
from scheduler_core.local.record.tasks import asking_for, replace_workload
from scheduler_core.local.work.book import Book
from scheduler_core.local.work.lifecycle import Lifecycle, unended
from scheduler_core.local.work.policies import EnginePolicies
from scheduler_core.model import TaskRequest
from scheduler_core.nvml import Sample
from scheduler_core.policies.admission import Breach, refused
from scheduler_core.policies.clauses import Hit
from scheduler_core.policies.file import Policies
from scheduler_core.policies.layers import warnings_of
from scheduler_core.policies.standing import IDLE, Due, Standing, due, told
from scheduler_core.quantities import time_text
from scheduler_core.workload import Action, Notice, Workload

_log = logging.getLogger(__name__)
_DONE: Mapping[Action, str] = {"release": "its devices are released", "suspend": "suspended", "stop": "stopped"}


class Rules:
    """The rules of one engine over the work that is there; `look` each second."""

    def __init__(self, book: Book, lifecycle: Lifecycle, policies: EnginePolicies, activities: Activities) -> None:
        self._book = book
        self._lifecycle = lifecycle
        self._policies = policies
        self._activities = activities
        self._departures = Departures(book)
        self._warned = {record.workload.id for record in book.live() if _is_warned(record.workload)}
        self._broken_since: dict[str, float] = {}

    async def look(self, samples: Mapping[str, Sample], memory_mib: Mapping[TaskId, Mapping[int, int]]) -> None:
        """Take up a reading; `memory_mib` is that of the devices by task and pid."""
        await self._departures.look(samples)
        if not self._policies.are_there and not self._warned and not self._broken_since:
            return
        now = time.time()
        running = [record for record in self._book.live() if _is_subject(record)]
        known = {record.workload.id for record in running}
        self._warned &= known
        self._broken_since = {name: since for name, since in self._broken_since.items() if name in known}
        for record in running:
            await self._see_to(record, samples, memory_mib, now)

    async def snooze(self, workload_id: str, user: str) -> Workload:
        """Let what counts as idle begin anew, once until it is used again.

        Raises:
            Conflict: it is not warned of being idle, or was put off before.
        """

        def put_off(known: Record) -> Record:
            notice = unended(known).workload.notice
            if notice is None or not notice.can_snooze or notice.acts_at is None:
                why = "was put off once" if notice is not None and notice.snoozed else "is not warned of being idle"
                raise Conflict(f"{known.workload.name} {why}.", "Using its GPU makes the time begin anew.")
            now = time.time()
            allowed = notice.acts_at - notice.since
            told = f"{notice.message}: put off"
            fresh = replace(notice, at=now, since=now, snoozed=now, acts_at=now + allowed, message=told, stage=0)
            return replace_workload(known, notice=fresh)

        return await self._book.decide(workload_id, put_off, Act(action="snooze", user=user))

    def check(self, workload_id: str, tasks: int | None = None, request: TaskRequest | None = None) -> None:
        """Refuse what would not be allowed of a workload that is there.

        Raises:
            NotAllowed: its policy does not allow it; the message says who does not.
        """
        record = self._book.get(workload_id)
        spec = record.spec
        changed = replace(spec, tasks=tasks or spec.tasks, min_tasks=None, request=request or spec.request)
        asked = replace(record, spec=changed, workload=replace(record.workload, allocation=None))
        found = self._policies.breaches(asked)
        if found:
            raise refused(found)

    def checked_request(self, workload_id: str, request: TaskRequest) -> TaskRequest:
        """A request for a workload that is there, on the devices that its policy allows.

        Raises:
            NotAllowed: its policy does not allow it.
        """
        self.check(workload_id, request=request)
        spec = replace(self._book.get(workload_id).spec, request=request)
        return self._policies.on_allowed_models(spec).request

    async def revise(self) -> None:
        """The rules are others: what waits and breaks them is suspended, and can be resumed once it does not."""
        for record in self._book.live():
            if record.workload.state == "pending" and not any(record.alive()):
                try:
                    await self._book.decide(record.workload.id, self._revised)
                except RunaiError:
                    _log.exception("%s could not be suspended yet", record.workload.name)

    def hits(self, policies: Policies) -> tuple[Hit, ...]:
        """Whom these policies would act on or warn now."""
        found = []
        for record in self._book.live():
            hit = self._hit(record, policies, policies.grace_s)
            if hit is not None:
                found.append(replace(hit, is_new=self._hit(record, None, self._policies.grace_s) is None))
        return tuple(found)

    def _hit(self, record: Record, policies: Policies | None, grace_s: float) -> Hit | None:
        now = time.time()
        found = self._policies.breaches(record, policies)
        workload = record.workload
        if _is_subject(record):
            policy = self._policies.policy(record, policies)
            ahead = due(policy, self._standing(record, found, now), grace_s, now)
            if ahead is None:
                return None
            message, action, acts_at = ahead.message, ahead.action, max(now, ahead.acts_at)
        elif found and workload.state == "pending":
            message, action, acts_at = told(found), "suspend", None
        else:
            return None
        return Hit(
            workload=workload.id,
            name=workload.name,
            owner=workload.owner,
            project=workload.queue,
            message=message,
            action=action,
            acts_at=acts_at,
            is_new=True,
        )

    def _idle_since(self, record: Record, now: float) -> float | None:
        """What its idleness counts from, null where it is not idle or holds nothing."""
        since, notice = self._activities.idle_since(record), record.workload.notice
        if since is None or not _holds_devices(record):
            return None
        if notice is not None and notice.rule == IDLE and notice.acts_at is not None:
            return max(since, notice.since)
        # Nobody is acted on who was never warned, be the rule newer than their idleness.
        return max(since, now - max(warnings_of(self._policies.policy(record).idle), default=now))

    def _standing(self, record: Record, found: tuple[Breach, ...], now: float) -> Standing:
        workload, notice = record.workload, record.workload.notice
        ran_s = max((known.ran_s + now - (known.started or now) for _, known in record.alive()), default=0.0)
        return Standing(
            ran_s=ran_s,
            idle_since=self._idle_since(record, now),
            snoozed=notice.snoozed if notice is not None and notice.rule == IDLE else None,
            breaks=found,
            broken_since=self._broken_since.get(workload.id, now),
        )

    async def _see_to(
        self,
        record: Record,
        samples: Mapping[str, Sample],
        memory_mib: Mapping[TaskId, Mapping[int, int]],
        now: float,
    ) -> None:
        workload = record.workload
        found = self._policies.breaches(record)
        if found:
            self._broken_since.setdefault(workload.id, now)
        else:
            self._broken_since.pop(workload.id, None)
        policy = self._policies.policy(record)
        ahead = due(policy, self._standing(record, found, now), self._policies.grace_s, now)
        try:
            if ahead is None:
                await self._say_nothing(record)
            elif not ahead.is_now:
                await self._warn(record, ahead, now)
            else:
                await self._act(record, ahead, samples, memory_mib, now)
        except RunaiError:
            _log.exception("%s cannot be told of its rules yet", workload.name)

    async def _say_nothing(self, record: Record) -> None:
        """What was said does not hold any more, unless it was put off and stays unused."""
        notice = record.workload.notice
        if notice is None or notice.acts_at is None:
            return
        idle_since = self._activities.idle_since(record)
        if notice.snoozed is not None and idle_since is not None and idle_since <= notice.since:
            return
        await self._note(record, None)
        self._tell(record, "what it was warned of is over.")

    async def _warn(self, record: Record, ahead: Due, now: float) -> None:
        notice = record.workload.notice
        said = ahead.rule, ahead.message, ahead.stage
        if notice is not None and (notice.rule, notice.message, notice.stage) == said and notice.acts_at is not None:
            return
        snoozed = notice.snoozed if notice is not None and notice.rule == ahead.rule else None
        fresh = Notice(
            rule=ahead.rule,
            message=ahead.message,
            stage=ahead.stage,
            at=now,
            since=ahead.since,
            action=ahead.action,
            acts_at=ahead.acts_at,
            snoozed=snoozed,
        )
        await self._note(record, fresh)
        self._tell(record, _warning(record.workload, fresh, ahead.message, now))

    async def _act(
        self,
        record: Record,
        ahead: Due,
        samples: Mapping[str, Sample],
        memory_mib: Mapping[TaskId, Mapping[int, int]],
        now: float,
    ) -> None:
        workload_id = record.workload.id
        if ahead.action == "release":
            staying = self._departures.staying(record, samples, memory_mib)
            if staying:
                await self._wait_for_release(record, ahead, staying, now)
                return
        self._departures.begin(record, memory_mib)
        reason = f"{ahead.message}: {_DONE[ahead.action]}"
        notice = Notice(rule=ahead.rule, message=reason, at=now, since=ahead.since, action=ahead.action)
        await self._note(record, notice)
        self._tell(record, f"{reason}.")
        if ahead.action == "release":
            await self._lifecycle.release(workload_id, reason)
        else:
            await self._lifecycle.tell(workload_id, "suspended" if ahead.action == "suspend" else "stopped", reason)

    async def _wait_for_release(self, record: Record, ahead: Due, staying: str, now: float) -> None:
        """Its devices are its own for as long as its processes are on them."""
        notice, message = record.workload.notice, f"{ahead.message}: to be released, but {staying}"
        if notice is not None and notice.message == message:
            return
        waiting = Notice(
            rule=ahead.rule, message=message, at=now, since=ahead.since, action="release", acts_at=ahead.acts_at
        )
        await self._note(record, replace(waiting, snoozed=None if notice is None else notice.snoozed))
        self._tell(record, f"{message}. Let go of it, or restart the kernel.")

    async def _note(self, record: Record, notice: Notice | None) -> None:
        workload = await self._book.decide(record.workload.id, lambda known: replace_workload(known, notice=notice))
        (self._warned.add if _is_warned(workload) else self._warned.discard)(workload.id)

    def _tell(self, record: Record, text: str) -> None:
        for task, _ in record.alive():
            self._lifecycle.runs.say(task, text)

    def _revised(self, record: Record) -> Record:
        if record.workload.state != "pending":
            return record
        found = self._policies.breaches(record)
        if found:
            return replace_workload(record, state="suspended", verdict=None, reason=told(found))
        request = self._policies.on_allowed_models(record.spec).request
        return record if request == record.spec.request else asking_for(record, request)


def _is_subject(record: Record) -> bool:
    """Whether rules act on it: it runs, and was not told to go."""
    alive = [known for _, known in record.alive()]
    return record.then is None and bool(alive) and all(known.state == "running" for known in alive)


def _holds_devices(record: Record) -> bool:
    return record.workload.allocation is not None and bool(record.workload.allocation.devices)


def _is_warned(workload: Workload) -> bool:
    return workload.notice is not None and workload.notice.acts_at is not None


def _warning(workload: Workload, notice: Notice, message: str, now: float) -> str:
    left = time_text(max(1.0, round((notice.acts_at or now) - now)))
    once = f" Put it off once: %runai snooze {workload.name}" if notice.can_snooze else ""
    return f"{message}. In {left}: {_DONE[notice.action]}.{once}"
