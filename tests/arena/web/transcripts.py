"""Write stores row by row: hostile words in every column, and episodes that stopped halfway."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from arena.store import database
from arena.store.journal import line, write_journal
from arena.web.pages.transcript import transcript
from arena.web.site import Site
from arena.web.words import render

NOW = datetime(2026, 1, 2, 3, 4, 5)
ATTACKS = (
    "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    "</textarea></title>\x1b[31mred\u202eesrever"
)
ENDLESS = "all work and no play " * 250_000
Rows = list[tuple[str, dict[str, Any]]]


def write_store(path: Path, rows: Rows) -> Path:
    """Return a store that holds these rows."""
    database.create(path)
    write_journal(
        database.journal_folder(path) / "rows.jsonl", [line(table, row) for table, row in rows]
    )
    database.fold(path)
    return path


def play(
    episode: str,
    kind: str,
    seats: dict[str, str],
    *,
    study: str = "s",
    text: str = "Words.",
    status: str | None = "done",
) -> Rows:
    """Return the rows of an episode without its turns.

    `seats` are models by seat; a `status` of None leaves it open.
    """
    subject = {"subject": f"about {episode}", "kind": kind, "text": text}
    rows: Rows = [
        (
            "runs",
            {
                "run": study,
                "study": study,
                "origin": "played",
                "simulated": False,
                "started_at": NOW,
            },
        ),
        ("subjects", subject),
    ]
    rows.append(
        (
            "plays",
            {
                "episode": episode,
                "study": study,
                "arm": "a",
                "protocol": "p",
                "subject": subject["subject"],
                "repeat": 0,
            },
        )
    )
    rows += [
        ("seats", {"episode": episode, "seat": seat, "agent": model, "model": model})
        for seat, model in seats.items()
    ]
    if status:
        failed = (
            {"error_kind": "Refused", "error": "the policy refused it"}
            if status == "failed"
            else {}
        )
        rows.append(("statuses", {"episode": episode, "status": status, "ended_at": NOW, **failed}))
    return rows


def turn(episode: str, seat: str, step: int, **columns: object) -> tuple[str, dict[str, Any]]:
    """Return the row of a turn."""
    plain = {
        "phase": "opening",
        "round": step,
        "public": "Said.",
        "confidence_status": "not asked",
        "text": "Raw.",
    }
    return "turns", {"episode": episode, "seat": seat, "step": step, **plain, **columns}


def page_html(db: Path, episode: str, *, private: bool = True, **query: str) -> str:
    """Return the page of an episode as HTML, as a server would send it."""
    site = Site(db, private=private)
    return render(site, transcript(site, episode, query), running=True)
