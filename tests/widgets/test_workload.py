"""A workload's widget in a real kernel: it follows to the end, and its buttons act."""

from __future__ import annotations

from pathlib import Path

from jupyter_runai.client import Client
from tests.helpers import UNTIL_STOPPED, kill_daemon, running, spec, until
from tests.widgets.kernel import Kernel

UNTIL_FILE = """
import time, pathlib
print('\\x1b[32mgreen\\x1b[0m')
print(' 10%|#         |\\r 62%|######    |', flush=True)
while not pathlib.Path('go').exists(): time.sleep(0.05)
print('done')
"""


def test_it_follows_a_workload_to_its_end(kernel: Kernel, client: Client, tmp_path: Path) -> None:
    client.submit(spec(UNTIL_FILE, gpu="0.5", name="digits", cwd=str(tmp_path)))
    kernel.run("work = Workload('digits')")
    kernel.until("work", "shown['state'] == 'running' and shown['log'] == ('green', ' 62%|######    |')")
    kernel.until("work", "shown['progress']['label'] == '62 %, by its own output'")
    kernel.until(
        "work", "shown['use'] and 'simulated figures' in shown['use']['label'] and len(shown['use']['points'])"
    )
    (tmp_path / "go").touch()
    kernel.until("work", "shown['state'] == 'completed' and 'done' in shown['log']")
    assert kernel.run("print(work)").startswith("✓ digits · completed · 0.5  0:")
    assert kernel.run("print(work.shown['buttons'], work.shown['share'])") == "() None"


def test_its_buttons_suspend_resume_resize_and_stop(kernel: Kernel, client: Client) -> None:
    work = client.submit(spec(UNTIL_STOPPED, gpu="0.5", name="digits", grace_s=0))
    kernel.run(f"work = Workload({work.id!r})")
    kernel.until("work", "shown['state'] == 'running'")
    kernel.press("work", "suspend")
    kernel.until("work", "shown['state'] == 'suspended' and [b['name'] for b in shown['buttons']][1] == 'resume'")
    kernel.press("work", "resume")
    kernel.until("work", "shown['state'] == 'running' and shown['note']['text'].startswith('digits waits for')")
    kernel.fill("work", "share", "a half")
    kernel.press("work", "resize")
    kernel.until("work", "shown['note']['is_problem'] and \"'a half' is no share\" in shown['note']['text']")
    kernel.fill("work", "share", "0.25")
    kernel.press("work", "resize")
    kernel.until("work", "shown['note']['text'].startswith('digits') and '0.25' in shown['note']['text']")
    kernel.press("work", "stop")
    kernel.until("work", "shown['state'] == 'stopped'")
    assert client.find("digits").state == "stopped"


def test_it_says_when_the_engine_is_gone_and_goes_on_after(kernel: Kernel, client: Client) -> None:
    work = client.submit(spec(UNTIL_STOPPED, gpu="0.5", name="digits", grace_s=0))
    until(client, work.id, running)
    kernel.run(
        "work = Workload('digits')\nlost = []\nwork.observe(lambda c: lost.append(c.new['note']['text']), 'shown')"
    )
    kill_daemon(client)
    kernel.until("work", "any('reconnecting' in text for text in lost)")
    client.stop(work.id)
    kernel.until("work", "shown['state'] == 'stopped' and shown['note']['text'] == ''")


def test_a_deleted_workload_is_said_to_be_deleted(kernel: Kernel, client: Client) -> None:
    work = client.submit(spec(name="digits"))
    kernel.run("work = Workload('digits')")
    kernel.until("work", "shown['state'] == 'completed'")
    client.delete(work.id)
    kernel.until("work", "shown['note']['text'] == 'It was deleted.'")
