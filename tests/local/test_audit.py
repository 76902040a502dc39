"""The audit log of an engine with a daemon: what it says of files, what it survives, and that nothing changes it."""

from __future__ import annotations

import getpass
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from jupyter_runai.client import Client
from scheduler_core.audit import AuditEntry, AuditQuery
from scheduler_core.errors import InvalidRequest
from scheduler_core.local.access.settings import Settings
from scheduler_core.local.durable.audit_log import append
from tests.conftest import SIMULATED
from tests.helpers import UNTIL_STOPPED, kill_daemon, outcome, running, shut_down, spec, until

DAY_S = 86400
VISION = '[projects.vision]\nquota = 1\nusers = ["ana"]\n'


def configured(client: Client, count: int) -> list[str]:
    """What is noted of the file of projects, once so many entries are."""
    while len(found := list(client.audit(AuditQuery(action="configure")))) < count:
        pass
    assert {entry.user for entry in found} <= {getpass.getuser(), "(engine)"}
    return [entry.detail for entry in found]


def test_what_a_file_of_projects_says_anew_is_told_table_by_table(client: Client, simulated: Path) -> None:
    assert configured(client, 0) == []
    file = simulated / "projects.toml"
    file.write_text(f'default_project = "vision"\n{VISION}')
    assert configured(client, 2) == [
        'projects.toml: added: default_project "vision"',
        'projects.toml: projects.vision: added: quota 1, users ["ana"]',
    ]
    file.write_text('default_project = "vision"\n[projects.vision]\nquota = 2.5\nlimit = 3\n[projects.nlp]\n')
    assert configured(client, 4)[2:] == [
        'projects.toml: projects.vision: quota 1 to 2.5, users ["ana"] to unset, limit unset to 3',
        "projects.toml: projects.nlp: added",
    ]
    assert [entry.project for entry in client.audit(AuditQuery(project="nlp"))] == ["nlp"]
    file.write_text("nonsense")
    until_noticed(client)
    file.unlink()
    assert configured(client, 7)[4:] == [
        "projects.toml: removed",
        "projects.toml: projects.vision: removed",
        "projects.toml: projects.nlp: removed",
    ]


def test_what_a_file_of_policies_says_anew_is_told(client: Client, simulated: Path) -> None:
    (simulated / "policies.yaml").write_text("cluster:\n  rules:\n    gpu: {max: 0.5}\n")
    assert configured(client, 1) == ["policies.yaml: cluster.rules: added: gpu.max 0.5"]


def test_variables_of_an_environment_are_named_and_not_shown(client: Client, simulated: Path) -> None:
    file = simulated / "policies.yaml"
    file.write_text("environments: {rules: {variables: {TOKEN: hush}}}\n")
    assert configured(client, 1) == ["policies.yaml: environments.rules: added: variables.TOKEN (not shown)"]
    file.write_text("environments: {rules: {variables: {TOKEN: hush-hush}}}\n")
    said = "policies.yaml: environments.rules: variables.TOKEN (not shown) to (not shown)"
    assert configured(client, 2)[1:] == [said]
    assert [entry.project for entry in client.audit()] == ["", ""]


def until_noticed(client: Client) -> None:
    while not client.info().notice:
        pass


def test_what_a_file_said_while_no_daemon_looked_is_told_once(client: Client, simulated: Path) -> None:
    (simulated / "projects.toml").write_text(VISION)
    configured(client, 1)
    kill_daemon(client)
    (simulated / "projects.toml").write_text(VISION.replace("1", "2"))
    for _ in range(2):
        again = Client()
        assert configured(again, 2)[1:] == ["projects.toml: projects.vision: quota 1 to 2"]
        kill_daemon(again)
        again.close()


def test_what_was_answered_is_told_whatever_dies_and_outlives_its_workload(client: Client) -> None:
    workload = client.submit(spec(UNTIL_STOPPED, grace_s=1))
    until(client, workload.id, running)
    client.stop(workload.id)
    kill_daemon(client)
    again = Client()
    outcome(again, workload.id)
    again.delete(workload.id, purge=True)
    kill_daemon(again)
    last = Client()
    found = list(last.audit(AuditQuery(workload=workload.id)))
    assert [entry.action for entry in found] == ["submit", "stop", "purge"]
    assert {(entry.user, entry.name) for entry in found} == {(getpass.getuser(), workload.name)}
    assert [entry.seq for entry in last.audit()] == list(range(1, 4))
    again.close()
    last.close()


def test_what_the_engine_ends_by_itself_is_its_own_doing(client: Client) -> None:
    workload = client.submit(spec(UNTIL_STOPPED, grace_s=1, max_run_s=0.1))
    outcome(client, workload.id)
    (_, entry) = client.audit(AuditQuery(workload=workload.id))
    assert (entry.action, entry.user) == ("stop", "(engine)")
    assert entry.detail == "reached its maximum run time of 0.1 s"


def test_nothing_changes_or_takes_away_an_entry(client: Client, simulated: Path) -> None:
    client.submit(spec())
    with closing(sqlite3.connect(simulated / "simulated" / "store.sqlite", isolation_level=None)) as store:
        for change in ("UPDATE audit SET user = 'nobody'", "DELETE FROM audit"):
            with pytest.raises(sqlite3.IntegrityError, match="no entry of the audit log"):
                store.execute(change)
    assert [entry.action for entry in client.audit()] == ["submit"]


def test_whole_days_go_once_they_are_too_old(simulated: Path) -> None:
    Settings(simulate=SIMULATED, audit_kept_days=3).write(simulated)
    client = Client()
    client.submit(spec())
    kill_daemon(client)
    today = time.time() // DAY_S * DAY_S
    with closing(sqlite3.connect(simulated / "simulated" / "store.sqlite", isolation_level=None)) as store:
        for at in (today - 3 * DAY_S - 1, today - 3 * DAY_S, today - 1):
            append(store, [AuditEntry(seq=0, at=at, user="ana", action="stop")])
    again = Client()
    while len(list(again.audit())) > 3:
        pass
    assert sorted(entry.at for entry in again.audit())[:2] == [today - 3 * DAY_S, today - 1]
    again.close()


def test_what_cannot_be_asked_is_refused(client: Client) -> None:
    for query in (AuditQuery(limit=0), AuditQuery(after="no mark"), AuditQuery(action="dance")):  # type: ignore[arg-type]
        with pytest.raises(InvalidRequest, match="The request is not valid"):
            list(client.audit(query))


def test_who_changes_the_devices_or_shuts_the_engine_down_is_noted(client: Client, simulated: Path) -> None:
    client.info()
    shut_down()
    client.simulate("4xA100-80GB")
    noted = [(entry.action, entry.user, entry.workload, entry.detail) for entry in client.audit()]
    user = getpass.getuser()
    assert noted == [("shutdown", user, "", ""), ("simulate", user, "", "4xA100-80GB")]
    for action in ("shutdown", "simulate"):
        assert len(list(client.audit(AuditQuery(action=action)))) == 1  # type: ignore[arg-type]
