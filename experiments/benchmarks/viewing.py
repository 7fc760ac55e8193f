"""Measure the viewer for store.py: its pages over a large store, and beside a running study.

    python experiments/benchmarks/viewing.py STORE

polls the page of a running study, as `compare_live` needs it in a process of its own.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

STUDY = """
from agents import agent
from arena import Arm, Study, Subject, against_itself
from protocols.debate import debate

def study(*, debates: int) -> Study:
    motions = [Subject(f"This house would count to {n}.") for n in range(debates)]
    lineups = against_itself([agent("sim/confident:words=200")])
    return Study("live", [Arm("only", debate, lineups)], motions)
"""


@contextmanager
def viewer(path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start `arena view` on any free port; yield its process and the address of its first page."""
    command = [sys.executable, "-m", "arena", "view", "--db", str(path), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            # The second line holds the address; the pages asked for here need no token.
            address = [server.stdout.readline() for _ in range(2)][1].strip()
            yield server, address.partition("?")[0]
        finally:
            server.terminate()


def page_rows(path: Path, study: str, episode: str) -> list[str]:
    """Time the viewer's pages over HTTP; return rows of a Markdown table."""
    pages = {
        "first page": "",
        f"study page ({study})": quote(f"study/{study}"),
        "debate page": f"debate/{episode}",
    }
    rows = []
    with viewer(path) as (server, address):
        for title, page in pages.items():
            # Another query each time, since a page that was made once is kept.
            seconds = [time_page(f"{address}{page}?try={number}") for number in range(6)]
            again = statistics.median(seconds[1:])
            rows.append(f"| viewer: {title}, s: first, again | {seconds[0]:.3f}, {again:.3f} | | |")
        status = Path(f"/proc/{server.pid}/status").read_text()
    # The largest resident memory so far, in kB.
    peak = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return [*rows, f"| viewer: peak memory, MB | {int(peak) / 1e3:.0f} | | |"]


def time_page(address: str) -> float:
    """Return the seconds that a page takes."""
    began = time.perf_counter()
    with urlopen(address, timeout=120) as answer:
        answer.read()
    return time.perf_counter() - began


def poll(path: Path) -> None:
    """Ask for the page of a running study as a browser does, a second after the last answer.

    Prints for each page [seconds of the answer, age in seconds that the page before it had reached
    by then], until SIGTERM.
    """
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    etag = ""
    shown_at = None
    with viewer(path) as (_, address):
        while True:
            began = time.perf_counter()
            request = Request(f"{address}study/live", headers={"if-none-match": etag})
            try:
                with urlopen(request, timeout=30) as answer:
                    etag = answer.headers["etag"]
                    answer.read()
            except HTTPError as error:
                # 304: nothing has changed since the page with this tag.
                if error.code != 304:
                    raise
            ended = time.perf_counter()
            age = ended - (began if shown_at is None else shown_at)
            print(json.dumps([ended - began, age]), flush=True)
            shown_at = began
            time.sleep(1)


def play_study(folder: Path, debates: int, read: bool) -> tuple[float, float, list[list[float]]]:
    """Play a study in a process of its own, with or without the viewer.

    Returns its wall seconds, its processor seconds, and the numbers that `poll` printed.
    """
    (folder / "s.py").write_text(STUDY)
    path = folder / "a.duckdb"
    command = [sys.executable, "-m", "arena", "run", "s.py", "-o", f"debates={debates}"]
    began = time.perf_counter()
    run = subprocess.Popen(
        [*command, "--db", str(path)],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    reader = None
    if read:
        # `arena view` refuses a store that is not there yet.
        while not path.exists():
            time.sleep(0.02)
        poller = [sys.executable, __file__, str(path)]
        reader = subprocess.Popen(poller, stdout=subprocess.PIPE, text=True)
    # wait4 tells the processor time of this child alone, without the viewer's.
    _, status, usage = os.wait4(run.pid, 0)
    wall = time.perf_counter() - began
    polls = []
    if reader is not None:
        reader.terminate()
        polls = [json.loads(line) for line in reader.communicate()[0].splitlines()]
    if status:
        raise SystemExit("the study did not finish")
    return wall, usage.ru_utime + usage.ru_stime, polls


def compare_live(debates: int, times: int = 5) -> None:
    """Print the cost of a study alone and with the viewer open on its page, in turns.

    Also how far behind the page is.
    """
    costs: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    for number in range(2 * times):
        read = bool(number % 2)
        with tempfile.TemporaryDirectory() as folder:
            wall, cpu, polls = play_study(Path(folder), debates, read)
        costs[read].append((wall, cpu))
        if polls:
            answers, ages = zip(*polls, strict=True)
            print(
                f"{len(polls)} pages, {statistics.median(answers):.2f} s each;"
                f" at most {max(ages):.2f} s behind"
            )
    for read, rows in costs.items():
        wall, cpu = (statistics.median(column) for column in zip(*rows, strict=True))
        title = "with the viewer" if read else "alone"
        print(f"{title}: {wall:.2f} s, {cpu:.2f} s of processor (medians of {times})")


if __name__ == "__main__":
    poll(Path(sys.argv[1]))
