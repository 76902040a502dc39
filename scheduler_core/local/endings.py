"""What becomes of a workload when one of its runs has ended: it ends, waits for another run, or is suspended."""

from __future__ import annotations

import signal

from msgspec.structs import replace

from scheduler_core.local.book import replace_workload
from scheduler_core.local.runs import Exit
from scheduler_core.local.store import Record
from scheduler_core.workload import Report, State, Workload


def after_run(record: Record, outcome: Exit, report: Report | None) -> Record:
    """The record when its run has ended so, and the workload itself has said this of it."""
    state = _state_after(record, outcome, report)
    ran = max(0.0, outcome.ended - (record.workload.started or outcome.ended))
    record = replace(record, supervisor=None, ran_s=record.ran_s + ran)
    if state not in ("pending", "suspended"):
        return replace_workload(
            record,
            state=state,
            ended=outcome.ended,
            exit_code=None if outcome.failure else outcome.code,
            reason=_reason(record.workload, outcome),
            report=report,
        )
    reason = record.workload.reason
    if record.workload.state != "suspending":
        record = replace(record, failures=record.failures + 1)
        what = _reason(record.workload, outcome)
        reason = f"{what}: tried again, {record.failures} of {record.spec.retries}"
    return replace_workload(
        replace(record, run=record.run + 1), state=state, allocation=None, started=None, reason=reason
    )


def waiting_again(record: Record) -> Record:
    """The record when its run never began: nothing of it counts."""
    state: State = record.then if record.workload.state == "suspending" else "pending"
    return replace(
        replace_workload(record, state=state, allocation=None, started=None, stop_requested=None), supervisor=None
    )


def _state_after(record: Record, outcome: Exit, report: Report | None) -> State:
    workload, well = record.workload, outcome.code == 0 and not outcome.failure
    if workload.stop_requested is not None:
        return "stopped"
    # One that reports its results was done before it could be told to go; others may end well to say they have saved.
    if workload.state == "suspending" and not (well and report is not None and report.error is None):
        return record.then
    if well:
        return "completed"
    return "pending" if record.failures < record.spec.retries else "failed"


def _reason(workload: Workload, outcome: Exit) -> str:
    if outcome.failure:
        return f"could not start: {outcome.failure}" if workload.state == "initializing" else outcome.failure
    if workload.stop_requested is not None:
        return workload.reason
    if outcome.code < 0:
        return f"killed by {signal.Signals(-outcome.code).name}"
    return f"exit status {outcome.code}" if outcome.code else ""
