"""Run a command in a process group of its own, and end all of the group with whoever started it.

    python process_group.py COMMAND ...

A server has processes of its own, which outlive it where it is killed, and keep a GPU's memory.
So the group ends when the command does, and when the standard input of this program is closed: by
its starter, or by the death of that.  It is run by its path, and imports nothing of ours.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

# What a server has for its own clean-up.
ENDING_S = 5.0


def main(command: list[str]) -> None:
    """Run a command, and end its group at its end or at that of our starter."""
    # The starter has made us the leader of a session, and so of a group.
    group = os.getpid()
    if os.fork() == 0:
        # Ray kills the children of a worker that it ends, and us with them, but not their children.
        os.setsid()
        if os.fork() == 0:
            watch(group)
        os._exit(0)
    os.wait()
    subprocess.Popen(command, stdin=subprocess.DEVNULL).wait()
    os.killpg(group, signal.SIGKILL)


def watch(group: int) -> None:
    """Wait until nobody holds the other end of our input; then end the group."""
    while os.read(0, 1):
        pass
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGTERM)
        until = time.monotonic() + ENDING_S
        while time.monotonic() < until:
            time.sleep(0.1)
            os.killpg(group, 0)
        os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1:])
