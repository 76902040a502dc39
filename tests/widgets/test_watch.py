"""One watch for all widgets, open as long as somebody looks."""

from __future__ import annotations

import stamina

from jupyter_runai.client import Client
from tests.helpers import UNTIL_STOPPED, running, spec, until
from tests.widgets.kernel import Kernel


def test_all_widgets_share_one_watch_that_closes_with_the_last(kernel: Kernel) -> None:
    before = connections(kernel)
    kernel.run("all = [Devices(), Queues(), Devices()]")
    assert connections(kernel) == before + 1
    kernel.run("[widget.close() for widget in all[1:]]")
    assert is_watching(kernel)
    kernel.run("all[0].close()")
    assert not is_watching(kernel)
    until_connections(kernel, before)
    kernel.run("again = Devices()")
    assert is_watching(kernel)


def test_a_cleared_output_rests_until_it_is_shown_again(kernel: Kernel, client: Client) -> None:
    before = connections(kernel)
    kernel.run("devices = Devices()")
    kernel.say("devices", type="seen")
    kernel.say("devices", type="hidden")
    assert kernel.hear() == {"type": "roll_call"}
    until_connections(kernel, before)
    until(client, client.submit(spec(UNTIL_STOPPED, gpu="0.5", name="digits", grace_s=0)).id, running)
    assert kernel.run("print(devices.shown['summary'])") == "0 of 2 used"
    kernel.say("devices", type="seen")
    kernel.until("devices", "shown['summary'] == '0.5 of 2 used'")


def test_closing_a_workloads_widget_closes_its_log_too(kernel: Kernel, client: Client) -> None:
    work = client.submit(spec(UNTIL_STOPPED, gpu="0.5", name="digits", grace_s=0))
    # One connection is kept for what is asked.
    kernel.run("from jupyter_runai.client import shared_client; shared_client().info()")
    before = connections(kernel)
    kernel.run("work = Workload('digits')")
    kernel.until("work", "shown['log'] == ('up',)")
    kernel.run("work.close()")
    until_connections(kernel, before)
    assert client.stop(work.id).name == "digits"


def test_what_is_no_message_changes_nothing(kernel: Kernel) -> None:
    kernel.run("devices = Devices()")
    for content in (
        {},
        {"type": "pressed"},
        {"type": "filled", "field": 1, "value": []},
        {"type": "pressed", "button": "x"},
    ):
        kernel.say("devices", **content)
    assert kernel.run("print(devices)").startswith("Devices: 0 of 2 used")


def connections(kernel: Kernel) -> int:
    return int(kernel.run("print(connections())"))


def is_watching(kernel: Kernel) -> bool:
    return kernel.run("print(is_watching())") == "True"


@stamina.retry(on=AssertionError, attempts=50, timeout=30)
def until_connections(kernel: Kernel, expected: int) -> None:
    assert connections(kernel) == expected
