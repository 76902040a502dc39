"""What runs in a workload's process. Nothing but the standard library is imported until it must."""

from pathlib import Path

RUNNER = Path(__file__).parent.with_name("runner.py")
"""What a task runs: the script that loads this package, wherever both lie."""
