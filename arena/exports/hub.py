"""Write a dataset folder for the Hugging Face hub: Parquet files and a card.

    load_dataset("FOLDER", "turns")

Nothing is sent anywhere: the card's last lines, and this command's, name the user's own command
that does.  What is private stays out unless it is asked for, as on published pages.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from analysis.read.selection import open_selected
from arena.errors import StoreError, StudyError
from arena.exports.formats import ExportOptions, check_new_folder
from arena.store.migrations import quote_sql

# An answer's confidence may be a rating that was private.
HIDDEN = """
    select episode from latest_turns
    where not coalesce(rating_public, false) and confidence is not null
"""
PRIVATE_TURNS = "t.thoughts, t.text as raw, t.reasoning, t.flags,"
# Each configuration of the dataset is one SELECT; {private} and {hidden} stand for what is left
# out of the public form.
CONFIGURATIONS = {
    "episodes": """
        select e.episode, e.study, e.arm, e.protocol, e.version, e.options::varchar as options,
               e.repeat, e.status, e.error_kind, e.started_at, e.ended_at, m.kind as subject_kind,
               m.text as subject, m.gold, m.choices, m.source, m.licence, s.simulated, s.origin
        from episodes e left join subjects m using (subject) left join studies s using (study)
        where {studies}
    """,
    "seats": """
        select e.study, s.episode, s.seat, s.agent, s.model, s.system,
               s.sampling::varchar as sampling
        from seats s join episodes e using (episode) where {studies}
    """,
    "turns": """
        select e.study, t.episode, t.seat, t.step, t.phase, t.round, t.public as text,
               case when {shown} or coalesce(t.public, '') <> '' then t.answer end as answer,
               case when {shown} then t.confidence end as confidence,
               case when {shown} or t.confidence is null then t.confidence_status
                    else 'private' end as confidence_status,
               t.rating_public, t.model_served, {private} t.started_at, t.ended_at
        from latest_turns t join episodes e using (episode) where {studies}
    """,
    "answers": """
        select e.study, a.episode, a.seat, a.stage, a.answer, a.correct,
               case when a.episode not in ({hidden}) then a.confidence end as confidence,
               a.final, a.status
        from latest_answers a join episodes e using (episode) where {studies}
    """,
    "verdicts": """
        select e.study, v.episode, v.debate, v.judge, v.seat_order, v.repeat, v.winner,
               v.confidence, v.reasons, v.status
        from verdicts v join episodes e using (episode) where {studies}
    """,
}
MEANINGS = {
    "episodes": "one row a play: study, protocol, question or motion, status",
    "seats": "who sat where: model, system prompt, sampling",
    "turns": "what was said: public words, phase, answer, rating where others saw it",
    "answers": "answers and whether they are right",
    "verdicts": "what judges decided of which debate",
}
STUDIES = """
    select e.study, count(*), bool_or(s.simulated), min(s.origin)
    from episodes e join studies s using (study) where {studies} group by e.study order by e.study
"""
MODELS = """
    select distinct s.model from seats s join episodes e using (episode)
    where s.model is not null and {studies} order by s.model
"""
LICENCES = """
    select distinct m.licence from subjects m join episodes e using (subject)
    where m.licence is not null and {studies} order by m.licence
"""
# What Markdown and HTML give a meaning.
MARKS = "\\`*_[]<>|#&"
VIEWS = ("episodes", "studies", "latest_turns", "latest_answers", "verdicts")


@dataclass(frozen=True, slots=True)
class Card:
    """What a card says: rows by configuration, studies, models and licences of subjects."""

    title: str
    rows: dict[str, int]
    studies: Sequence[tuple[Any, ...]]
    models: Sequence[str]
    licences: Sequence[str]
    private: bool


def write_export(path: Path, folder: Path, options: ExportOptions) -> list[str]:
    """Write the dataset of a store.  Raises StoreError if the folder cannot be written."""
    check_new_folder(folder)
    listed = ", ".join(map(quote_sql, options.studies))
    words = {
        "studies": f"e.study in ({listed})" if listed else "true",
        "private": PRIVATE_TURNS if options.private else "",
        "shown": "true" if options.private else "coalesce(t.rating_public, false)",
        "hidden": "select '' where false" if options.private else HIDDEN,
    }
    with open_selected(path, options.selection, VIEWS) as (con, _):
        studies = con.execute(STUDIES.format(**words)).fetchall()
        missing = set(options.studies) - {study for study, *_ in studies}
        if missing or not studies:
            names = ", ".join(sorted(missing)) or "any study"
            raise StudyError(f"{path} holds no play of {names} to export")
        rows = {}
        try:
            for name, sql in CONFIGURATIONS.items():
                file = folder / "data" / name / "train.parquet"
                file.parent.mkdir(parents=True)
                if count := copy_table(con, sql.format(**words), file):
                    rows[name] = count
                else:
                    # The hub's library refuses a split without rows.
                    file.unlink()
                    file.parent.rmdir()
            models = [model for (model,) in con.execute(MODELS.format(**words)).fetchall()]
            licences = [name for (name,) in con.execute(LICENCES.format(**words)).fetchall()]
            card = Card(folder.resolve().name, rows, studies, models, licences, options.private)
            (folder / "README.md").write_text(card_text(card), encoding="utf-8")
        except (OSError, duckdb.IOException) as error:
            raise StoreError(f"cannot write to {folder}: {error}") from error
    private = "with" if options.private else "without"
    name = folder.resolve().name
    return [
        *(f"{folder / 'data' / name}: {count} rows" for name, count in rows.items()),
        f"{folder / 'README.md'}: the card, {private} private words; say the licence in it",
        f"to publish it yourself: hf upload YOU/{name} {folder} --repo-type dataset",
    ]


def copy_table(con: duckdb.DuckDBPyConnection, sql: str, file: Path) -> int:
    """Write the rows of a query as a Parquet file; return how many."""
    options = "format parquet, compression zstd, row_group_size 16384"
    ((rows,),) = con.execute(f"copy ({sql}) to {quote_sql(str(file))} ({options})").fetchall()
    return int(rows)


def card_text(card: Card) -> str:
    """Return the card: what the hub reads as YAML, and what people read."""
    tags = ["peer-arena", *(["simulated"] if any(study[2] for study in card.studies) else [])]
    # JSON is YAML, and leaves nothing of a name to be taken for more than text.
    head = ["---", f"pretty_name: {json.dumps(card.title)}", "license: unknown", "tags:"]
    head += [f"- {tag}" for tag in tags]
    head.append("configs:")
    for name in card.rows:
        files = f"data/{name}/*.parquet"
        head += [f"- config_name: {name}", f"  data_files: {json.dumps(files)}"]
        head += ["  default: true"] if name == "turns" else []
    body = [
        "---",
        "",
        f"# {plain(card.title)}",
        "",
        "Plays of language models, recorded by Peer Arena: debates, peer reasoning, votes.",
        "",
        "| configuration | rows | what it holds |",
        "|---|---|---|",
        *(f"| {name} | {count:,} | {MEANINGS[name]} |" for name, count in card.rows.items()),
        "",
        "Join `turns`, `seats` and `answers` with `episodes` by `episode`; `verdicts.debate` is an"
        " episode too.",
        "",
        "## Studies",
        "",
        "| study | plays | origin |",
        "|---|---|---|",
        *(
            f"| {plain(study)} | {count:,} | {plain(origin)}{', SIMULATED' * bool(simulated)} |"
            for study, count, simulated, origin in card.studies
        ),
        "",
        f"Models: {', '.join(map(plain, card.models)) or 'not known'}.",
        "",
        "## What is in it, and what is not",
        "",
        "Private thoughts, ratings, raw replies and reasoning are IN this dataset."
        if card.private
        else "Private thoughts, private ratings, raw replies and reasoning are left out:"
        " `confidence_status` is `private` where a rating was read and others did not see it.",
        "Texts are the words of models, as they came: nobody has checked them.",
        "",
        "## Licence",
        "",
        "Say above under which terms you publish this. Terms of the questions, as far as recorded:"
        f" {'; '.join(map(plain, card.licences)) or 'not known'}.",
        "",
    ]
    return "\n".join([*head, *body])


def plain(text: object) -> str:
    """Return a name as text of Markdown that begins no link, table cell, heading or tag."""
    words = " ".join(str(text).split())
    return "".join(f"\\{mark}" if mark in MARKS else mark for mark in words)
