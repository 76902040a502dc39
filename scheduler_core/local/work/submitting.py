"""Taking in new work: what is checked at the door, named, written down and handed to the planner."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
from pathlib import Path

from msgspec.structs import replace

from scheduler_core.errors import InvalidRequest, RunaiError
from scheduler_core.local.access.acts import Act, asked
from scheduler_core.local.access.callers import Caller
from scheduler_core.local.access.projects import ProjectsFile
from scheduler_core.local.machine.sharing import handed_on
from scheduler_core.local.record.records import new_record, new_workload
from scheduler_core.local.record.runs import explained
from scheduler_core.local.wire.protocol import Submission
from scheduler_core.local.work.book import Book
from scheduler_core.local.work.following import Runs
from scheduler_core.local.work.policies import EnginePolicies
from scheduler_core.local.work.scheduling import Scheduling
from scheduler_core.model import Verdict
from scheduler_core.policies.admission import Admitted
from scheduler_core.workload import Workload, WorkloadSpec

_STAGING_TOKEN = re.compile(r"[A-Za-z0-9_-]{8,64}")


class Submitting:
    """The door for new work; `staging` is where its inputs lie until it is submitted."""

    def __init__(
        self,
        book: Book,
        runs: Runs,
        scheduling: Scheduling,
        projects: ProjectsFile,
        policies: EnginePolicies,
        staging: Path,
        simulated: bool,
    ) -> None:
        self._book = book
        self._runs = runs
        self._scheduling = scheduling
        self._projects = projects
        self._policies = policies
        self._staging = staging
        self._simulated = simulated
        self._submitting: dict[str, asyncio.Future[Workload]] = {}

    async def submit(self, submission: Submission, caller: Caller) -> Workload:
        """Store a workload of this caller, or answer with the one that its key has stored before."""
        key = caller.key(submission.spec.key)
        submission = replace(submission, spec=replace(submission.spec, key=key))
        known = self._book.by_key(key)
        if known is not None:
            return known
        if key is None:
            return await asyncio.shield(asyncio.ensure_future(self._store_new(submission, caller)))
        if key not in self._submitting:
            self._submitting[key] = asyncio.ensure_future(self._store_new(submission, caller))
            self._submitting[key].add_done_callback(lambda _: self._submitting.pop(key))
        # A caller that goes away, or an engine that leaves, must not undo what may be on disk already.
        return await asyncio.shield(self._submitting[key])

    async def _store_new(self, submission: Submission, caller: Caller) -> Workload:
        spec = self._checked(replace(submission.spec, env=handed_on(submission.spec.env)), caller).spec
        name = spec.name or self._book.free_name(spec.name_hint)
        workload = new_workload(spec, self._new_id(), name, caller.name, self._simulated, caller.account)
        folder = self._runs.new_folder(workload.id, caller.account)
        inputs = self._staged(submission.inputs)
        record = new_record(spec, workload, caller.account)
        try:
            await asyncio.to_thread(folder.make, record, inputs)
            await self._book.add(record, Act(action="submit", user=caller.name, detail=_submitted(spec)))
        except OSError as error:
            folder.give_back_inputs(inputs)
            raise explained(error, folder.path) from error
        except RunaiError:
            folder.give_back_inputs(inputs)
            raise
        self._scheduling.wake()
        return workload

    async def preview(self, spec: WorkloadSpec, caller: Caller) -> Verdict:
        """The verdict that it would get now, with what its policy has added."""
        taken = self._checked(spec, caller)
        verdict = await self._scheduling.preview(taken.spec)
        return replace(verdict, facts={**verdict.facts, "policy": taken.notes}) if taken.notes else verdict

    def _checked(self, spec: WorkloadSpec, caller: Caller) -> Admitted:
        """The submission with its project and what its policy adds, when it is one that can be carried out."""
        _check(spec)
        # Where the engine is not the caller, only the run itself can see what they may enter.
        if caller.account is None and not os.path.isdir(spec.cwd):  # noqa: PTH112 (Path.is_dir raises on a long name)
            raise InvalidRequest(f"The working directory {spec.cwd} does not exist.")
        return self._policies.admitted(replace(spec, queue=self._projects.projects.leaf(spec.queue, caller.name)))

    def _new_id(self) -> str:
        while True:
            identifier = secrets.token_hex(4)
            if not self._book.has_files(identifier):
                return identifier

    def _staged(self, token: str | None) -> Path | None:
        if token is None:
            return None
        path = self._staging / token
        if not _STAGING_TOKEN.fullmatch(token) or not path.is_dir() or path.is_symlink():
            raise InvalidRequest("The workload's inputs were not staged with this engine.")
        return path


def _submitted(spec: WorkloadSpec) -> str:
    return f"{spec.kind}, {asked(spec.request)}" + (f", {spec.tasks} tasks" if spec.tasks > 1 else "")


def _check(spec: WorkloadSpec) -> None:
    if spec.image is not None:
        raise InvalidRequest("Work runs in your own Python on this machine, in no image.", "Leave --image out.")
    if spec.job_kind != "Job":
        raise InvalidRequest(f"A {spec.job_kind} is of a cluster, and this is one machine.", "Leave --job-kind out.")
    words = [spec.cwd, *spec.command, *spec.env, *spec.env.values()]
    if any("\0" in word for word in words):
        raise InvalidRequest("An argument or a variable holds a NUL character.")
    if any(not name or "=" in name for name in spec.env):
        raise InvalidRequest("A variable's name is empty or holds '='.")
    if not Path(spec.cwd).is_absolute():
        raise InvalidRequest(f"The working directory {spec.cwd} is not an absolute path.")
