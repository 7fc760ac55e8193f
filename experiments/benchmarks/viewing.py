"""Measure the viewer: for store.py over a large store and beside a running study, and under load.

    python experiments/benchmarks/viewing.py STORE --load

asks for pages of a store one after another while the viewer, which may open 1,024 files, has more
to do than it can: 300 readers ask for the first page by 300 addresses, 300 for as many pages of
episodes, and leave after three seconds; 60 slow queries run; 1,500 connections send half a head.
Without --load it polls the page of a running study, as `compare_live` needs it in a process of its
own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen

from arena.store.database import query

STUDY = """
from agents import agent
from arena import Arm, Study, Subject, against_itself
from protocols.debate import debate

def study(*, debates: int) -> Study:
    motions = [Subject(f"This house would count to {n}.") for n in range(debates)]
    lineups = against_itself([agent("sim/confident:words=200")])
    return Study("live", [Arm("only", debate, lineups)], motions)
"""

# What systems let a process open by default.
OPEN_FILES = 1024
ABANDONED, QUERIES, HALF_HEADS = 300, 60, 1_500
GONE_S, LOAD_S = 3.0, 20.0
SLOW = "select sum(sin(a.range * b.range)) + {} from range(10000000) a, range(1000000) b"


@contextmanager
def viewer(path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start `arena view` on any free port; yield its process and the address of its first page."""
    command = [sys.executable, "-m", "arena", "view", "--db", str(path), "--port", "0"]
    with subprocess.Popen(
        ["sh", "-c", f'ulimit -n {OPEN_FILES}; exec "$@"', "sh", *command],
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
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


async def get(address: str, page: str, stay_s: float = 60.0) -> int | None:
    """Ask for a page; return its status, or None if it has not come when the reader leaves."""
    where = urlsplit(address)
    writer = None
    try:
        async with asyncio.timeout(stay_s):
            reader, writer = await asyncio.open_connection(where.hostname, where.port)
            head = f"GET /{page} HTTP/1.1\r\nhost: {where.netloc}\r\nconnection: close\r\n\r\n"
            writer.write(head.encode())
            return int((await reader.read()).split(b" ", 2)[1])
    except (TimeoutError, OSError, IndexError):
        return None
    finally:
        if writer is not None:
            writer.close()


async def send_half_a_head(address: str) -> None:
    """Open a connection, begin a request, and hold it until the viewer closes it."""
    where = urlsplit(address)
    with suppress(OSError):
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        writer.write(b"GET / HTTP/1.1\r\nhost: ")
        await reader.read()
        writer.close()


async def time_under_load(
    address: str, episodes: list[str], burden: list[Awaitable[object]]
) -> tuple[list[float], list[int | None]]:
    """Ask for one page after another while a burden is carried; return seconds and statuses.

    The burden ends with the last page: about LOAD_S seconds later.
    """
    tasks = [asyncio.ensure_future(part) for part in burden]
    seconds: list[float] = []
    statuses: list[int | None] = []
    until = time.perf_counter() + LOAD_S
    while time.perf_counter() < until:
        await asyncio.sleep(0.2)
        began = time.perf_counter()
        statuses.append(await get(address, f"debate/{episodes[len(seconds) % len(episodes)]}"))
        seconds.append(time.perf_counter() - began)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return seconds, statuses


def measure_load(path: Path) -> None:
    """Print how long somebody else's pages take under each burden, and under all at once."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 2 * HALF_HEADS), hard))
    stored = "select episode from plays where protocol = 'debate'"
    episodes = [row[0] for row in query(path, f"{stored} order by episode").rows]
    own, others = episodes[:20], episodes[20:]
    burdens: dict[str, Callable[[str], list[Awaitable[object]]]] = {
        "none": lambda address: [],
        f"{ABANDONED} abandoned requests, one page": lambda address: [
            get(address, f"?x={number}", GONE_S) for number in range(ABANDONED)
        ],
        f"{ABANDONED} abandoned requests, {ABANDONED} pages": lambda address: [
            get(address, f"debate/{others[number % len(others)]}?private=0&x={number}", GONE_S)
            for number in range(ABANDONED)
        ],
        f"{QUERIES} slow queries": lambda address: [
            get(address, "sql?q=" + quote(SLOW.format(number))) for number in range(QUERIES)
        ],
        f"{HALF_HEADS:,} half-sent heads": lambda address: [
            send_half_a_head(address) for _ in range(HALF_HEADS)
        ],
    }
    everything = list(burdens.values())
    burdens["all at once"] = lambda address: [
        part for burden in everything for part in burden(address)
    ]
    print("| burden | pages | not answered | median s | longest s |\n|---|---|---|---|---|")
    for title, burden in burdens.items():
        with viewer(path) as (_, address):
            seconds, statuses = asyncio.run(time_under_load(address, own, burden(address)))
        bad = sum(status != 200 for status in statuses)
        middle, longest = statistics.median(seconds), max(seconds)
        print(f"| {title} | {len(seconds)} | {bad} | {middle:.2f} | {longest:.2f} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("--load", action="store_true", help="measure pages under load")
    arguments = parser.parse_args()
    if arguments.load:
        measure_load(arguments.store)
    else:
        poll(arguments.store)
