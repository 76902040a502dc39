"""`audit`: who did what, for people and as JSON lines."""

from __future__ import annotations

import json

from jupyter_runai.client import Client
from jupyter_runai.verbs.line import run_verb
from jupyter_runai.verbs.options import verb_parsers
from scheduler_core.audit import AuditEntry, AuditQuery
from tests.helpers import running, spec, until


def says(client: Client, *words: str) -> str:
    return run_verb(client, "audit", verb_parsers("%runai")["audit"].parse(list(words)))


def evicted(client: Client) -> tuple[str, str]:
    """The ids of a training, and of the urgent work for whose sake it was evicted."""
    code = "import signal; signal.pause()"
    training = client.submit(spec(code, gpu=2, name="train", grace_s=1))
    until(client, training.id, running)
    urgent = client.submit(spec(code, gpu=2, name="urgent", kind="interactive", grace_s=1))
    until(client, urgent.id, running)
    return training.id, urgent.id


def test_people_read_who_did_what_and_for_whom(client: Client) -> None:
    evicted(client)
    user = client.info().user
    header, *lines = says(client).splitlines()
    assert header.split() == ["when", "who", "did", "to"]
    told = [" ".join(line.split()[2:]) for line in lines]
    assert told[0] == f"{user} submit train ({user}, default) training, gpu 2"
    assert told[1] == f"{user} submit urgent ({user}, default) interactive, gpu 2"
    assert told[2].startswith(f"(engine) evict train ({user}, default) for urgent ({user}, default); preempt: ")
    assert len(told) == 3
    (line,) = says(client, "--action", "evict", "--workload", "urgent").splitlines()[1:]
    assert line.split() == lines[2].split()
    assert says(client, "--user", "nobody") == "Nothing of that kind was done, as far as you may see."


def test_programs_read_all_of_it_line_by_line(client: Client) -> None:
    for number in range(3):
        client.submit(spec(gpu=5, name=f"w{number}"))
    lines = [json.loads(line) for line in says(client, "--json", "--project", "default").splitlines()]
    assert [line["name"] for line in lines] == ["w0", "w1", "w2"]
    assert list(lines[0]) == list(AuditEntry.__struct_fields__)
    assert lines == [json.loads(line) for line in says(client, "--json").splitlines()]
    assert says(client, "--json", "--to", "1h") == ""
    assert len(list(client.audit(AuditQuery(limit=1)))) == 3
