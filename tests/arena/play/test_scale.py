"""A thousand debates with a thousand calls in flight: nothing leaks, nothing is left behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
CODE = """
import asyncio, gc, json, os, resource, sys
from pathlib import Path
from agents import agent
from arena import Arena, Arm, Study, Subject, against_itself
from protocols.debate import debate

motions = [Subject(f"This house would hold debate {n}.") for n in range(1000)]
study = Study("many", [Arm("a", debate, against_itself([agent("sim/modest")]))], motions)

def resident():
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20

async def once(name):

    summary = await Arena(name, concurrency=1000).play(study, watch=lambda tally: None)
    return summary.done, len(asyncio.all_tasks()) - 1

seen = []
for number in range(6):
    done, tasks = asyncio.run(once(f"{sys.argv[1]}/{number}.duckdb"))
    files = len(os.listdir("/proc/self/fd"))
    seen.append({"done": done, "tasks": tasks, "files": files, "mb": resident()})
print(json.dumps(seen))
"""


@pytest.mark.slow
def test_a_thousand_debates_at_once_leak_nothing(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", CODE, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    seen = json.loads(ended.stdout)
    assert [run["done"] for run in seen] == [1000] * 6
    assert [run["tasks"] for run in seen] == [0] * 6
    assert len({run["files"] for run in seen}) == 1
    # The first run brings code, pools of the allocator and DuckDB into memory; the later ones add
    # next to nothing.  Free memory goes up and down by 40 MB, so that the least counts.
    sizes = [run["mb"] for run in seen]
    assert min(sizes[3:]) - min(sizes[1:3]) < 25, seen
