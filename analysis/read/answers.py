"""Read the plays of questions of each study: answers and their cost, as arrays.

A study's finished plays are read with all their answers, those of paths and those that are final.
Texts are not read; of an answer only its value is, as a code by which votes are counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import orjson
from numpy.typing import NDArray

from analysis.read.debates import MISSING, STUDIES, Count, counts_of, oldest_first
from analysis.read.selection import ALL, LABELS, Chosen, Selection, open_selected
from analysis.statistics.clustered import Array, Codes, Mask

Columns = dict[str, NDArray[Any]]
Options = Mapping[str, object]

# Protocols whose confidence is the share of those who gave the answer.
BY_VOTES = (
    *("self_consistency", "self_agreement", "self_aggregation", "universal_self_consistency"),
    *("leap", "leap_segmented", "moa", "society_of_minds", "best_of_n", "self_check"),
)
# An arm answers questions if a play of it gave an answer that is right or wrong, or if all its
# plays are of questions with a right answer and none has finished yet.
EPISODES = """
    with debated as (select distinct episode from seats where seat = 'proposition'),
    arms as (
        select e.study, e.arm, e.status, count(*) as n, count(a.episode) as answered,
               bool_and(s.kind = 'question' and d.episode is null and g.episode is not null)
                   as asked
        from episodes e left join subjects s using (subject) left join debated d using (episode)
        left join gradable g using (episode)
        left join (
            select distinct episode from answers semi join gradable using (episode)) a
        using (episode) group by all)
    select study, arm, status, null as phase, null as reason, n
    from arms window same as (partition by study, arm)
    qualify sum(answered) over same > 0
        or (bool_and(asked) over same and bool_and(status <> 'done') over same)
    order by all
"""
# A store of debates alone has neither.
HAS_ANSWERS = """
    select 1 where exists (from answers) or exists (from subjects where kind = 'question')
"""
# Who judges a stored debate answers the question that was argued there.
PLAYS = """
    create temp table play_rows as
    with seated as (
        select episode, string_agg(distinct {label}, ', ' order by {label}) as seated
        from contestants group by episode)
    select q.* replace (seated as models), coalesce(argued.subject, q.subject) as question,
           row_number() over (
               partition by q.study order by q.arm, q.subject, seated, q.repeat, q.episode) - 1
               as play
    from question_plays q left join seated using (episode) left join subjects s using (subject)
    left join episodes argued on q.protocol = 'judged_argument' and argued.episode = s.source
    where q.study = $1 or $1 is null
"""
PLAY_COLUMNS = """
    select study, arm, protocol, coalesce(models, 'unknown') as models, subject, question,
           correct::double as correct, confidence, status, answered::double as answered,
           calls::double as calls, tokens_in::double as tokens_in,
           tokens_out::double as tokens_out, cost_usd, routes::double as routes, episode,
           coalesce(repeat, 0)::bigint as repeat
    from play_rows order by study, play
"""
# Seats are in the order of their numbers: path2 before path10.
ANSWERS = """
    with numbered as (
        select p.study, p.play, a.*,
               dense_rank() over (
                   partition by p.study, p.play
                   order by regexp_replace(a.seat, '[0-9]+$', ''),
                            coalesce(try_cast(regexp_extract(a.seat, '[0-9]+$') as bigint), -1),
                            a.seat) as place
        from answer_stages a join play_rows p using (episode))
    select study, play, place as seat, final, path, correct::double as correct, confidence,
           coalesce(case when canonical is not null
                         then dense_rank() over (order by canonical nulls last) end, 0) - 1 as vote,
           stage = min(stage) over own as first, stage = max(stage) over own as last
    from numbered window own as (partition by study, play, place) order by study, play, place, stage
"""
# Before the record said it, it follows from the protocol, as far as it is one of ours.
SOURCES = f"""
    select p.study, p.arm, a.final, coalesce(a.confidence_source, case
               when p.protocol in ({", ".join(map(repr, BY_VOTES))}) then 'vote share'
               when p.protocol <> 'confidence_elicitation' then 'unknown'
               when a.final and coalesce(e.options->>'samples', '1') <> '1' then 'vote share'
               when e.options->>'strategy' in ('p_true', 'sequence_probability') then 'probability'
               else 'stated' end) as source
    from latest_answers a join play_rows p using (episode) join plays e using (episode)
    where a.confidence is not null group by all order by all
"""
# The same arm played with other options is another arm under the same name.
OPTIONS = """
    select study, arm, count(distinct coalesce(options::varchar, '')) as n,
           coalesce(any_value(options::varchar), '{}') as options
    from episodes where status = 'done' group by all order by all
"""


@dataclass(frozen=True, slots=True)
class Plays:
    """E finished plays of questions, all (E,).

    A code is a position in the record's `arms`, `models` or `questions`.  `correct` is 1 if the
    final answer is right, 0 if it is wrong, nan if it is unreadable (`status` says why);
    `confidence` is in [0, 1] or nan.  `answered` counts calls with a reply, `calls` all attempts;
    tokens and dollars are nan if unknown.  `episode` and `subject` are ids; `repeat` is from 0.
    """

    arm: Codes
    models: Codes
    question: Codes
    correct: Array
    confidence: Array
    status: NDArray[np.object_]
    answered: Array
    calls: Array
    tokens_in: Array
    tokens_out: Array
    cost_usd: Array
    routes: Array
    episode: NDArray[np.object_]
    subject: NDArray[np.object_]
    repeat: Codes


@dataclass(frozen=True, slots=True)
class Answers:
    """P answers, all (P,), by play, then seat, then stage.

    `play` is a row of Plays, and `seat` the seat's number in it, from 1.  `path` marks the last
    path answer of each seat, `first` and `last` the seat's first and last answer of any kind;
    `vote` is a code of the answer's value, -1 without one.  `correct` and `confidence` are as in
    Plays.
    """

    play: Codes
    seat: Codes
    final: Mask
    path: Mask
    first: Mask
    last: Mask
    correct: Array
    confidence: Array
    vote: Codes


@dataclass(frozen=True, slots=True)
class AnswerRecord:
    """One study's plays of questions, and counts.

    `protocols` are by arm.  `episodes` counts plays by status (`what`); `missing` holds the rows of
    the view `missing`.  `pooled` names the arms that were played with several sets of options.
    `models` are those who sat in a play, in one text, by the labels that were asked for; `chosen`
    says what is left out, None: nothing.  `sources` has, by arm and by whether an answer is final,
    what kind of number its confidence is: "stated", "vote share", "probability".  `options` are by
    arm those that differ from the protocol's defaults, None of a pooled arm and one without a play.
    """

    study: str
    simulated: bool
    origin: str | None
    arms: tuple[str, ...]
    protocols: tuple[str, ...]
    models: tuple[str, ...]
    questions: int
    plays: Plays
    all_answers: Answers
    episodes: tuple[Count, ...]
    missing: tuple[Count, ...]
    pooled: tuple[str, ...] = ()
    chosen: Chosen | None = None
    sources: Mapping[tuple[str, bool], str] = field(default_factory=dict)
    options: tuple[Options | None, ...] = ()


def read_answers(
    path: Path, study: str | None = None, selection: Selection = ALL
) -> list[AnswerRecord]:
    """Return every study whose arms answer questions, oldest first, or the one named.

    The list is empty if a named study is unknown or has no answers.  Raises StoreError if the store
    cannot be read.
    """
    with open_selected(path, selection) as (con, left_out):
        if con.execute(HAS_ANSWERS).fetchone() is None:
            return []
        heads = {name: head for name, *head in con.execute(STUDIES).fetchall()}
        counts = [row for row in con.execute(EPISODES).fetchall() if study in (None, row[0])]
        names = oldest_first(heads, {name for name, *_ in counts})
        if not names:
            return []
        con.execute(PLAYS.format(label=LABELS[selection.by]), [study])
        plays = fetch_columns(con, PLAY_COLUMNS)
        answers = fetch_columns(con, ANSWERS)
        missing = con.execute(MISSING, {"some_only": bool(selection.filters)}).fetchall()
        played_with = con.execute(OPTIONS).fetchall()
        sources = con.execute(SOURCES).fetchall()
    records = []
    for name in names:
        simulated, origin = heads.get(name, (False, None))
        episodes = counts_of(counts, name)
        arms = tuple(dict.fromkeys(count.arm for count in episodes))
        mine = rows_of(plays, name)
        models, model = np.unique(mine["models"].astype(str), return_inverse=True)
        questions, question = np.unique(mine["question"].astype(str), return_inverse=True)
        arm = np.array([arms.index(label) for label in mine["arm"].tolist()], dtype=np.int64)
        codes = {"arm": arm, "models": model, "question": question}
        records.append(
            AnswerRecord(
                name,
                simulated,
                origin,
                arms,
                protocols_by_arm(mine["protocol"], arm, len(arms)),
                tuple(models.tolist()),
                questions.size,
                Plays(**choose_fields(Plays, mine | codes)),
                Answers(**choose_fields(Answers, rows_of(answers, name))),
                episodes,
                counts_of(missing, name),
                tuple(arm for own, arm, n, _ in played_with if own == name and n > 1),
                left_out.get(name),
                sources_of(sources, name),
                options_by_arm(played_with, name, arms),
            )
        )
    return records


def sources_of(
    rows: Sequence[tuple[str, str, bool, str]], study: str
) -> dict[tuple[str, bool], str]:
    """Return the sources of a study by arm and final; several are joined by commas."""
    sources: dict[tuple[str, bool], str] = {}
    for own, arm, final, source in rows:
        if own == study:
            earlier = sources.get((arm, final))
            sources[arm, final] = source if earlier is None else f"{earlier}, {source}"
    return sources


def options_by_arm(
    rows: Sequence[tuple[str, str, int, str]], study: str, arms: Sequence[str]
) -> tuple[Options | None, ...]:
    """Return the options of each arm of a study; None if it has several sets of them, or none."""
    found = {arm: orjson.loads(options) for own, arm, n, options in rows if own == study and n == 1}
    return tuple(found.get(arm) for arm in arms)


def fetch_columns(con: duckdb.DuckDBPyConnection, sql: str) -> Columns:
    """Return the columns of a query; numbers that are NULL are nan."""
    columns = {}
    for name, values in con.execute(sql).fetchnumpy().items():
        is_float = values.dtype.kind == "f"
        columns[name] = np.ma.filled(values, np.nan) if is_float else np.ma.getdata(values)
    return columns


def protocols_by_arm(protocol: NDArray[np.object_], arm: Codes, arms: int) -> tuple[str, ...]:
    """Return the names of the protocols of each arm, of several joined by commas."""
    return tuple(
        ", ".join(sorted({str(name) for name in protocol[arm == number].tolist()}))
        for number in range(arms)
    )


def rows_of(columns: Columns, study: str) -> Columns:
    """Return the rows of one study."""
    chosen = columns["study"] == study
    return {name: values[chosen] for name, values in columns.items()}


def choose_fields(kind: type[Plays | Answers], columns: Columns) -> Columns:
    """Return the columns that are called as the fields of a class."""
    return {field.name: columns[field.name] for field in fields(kind)}
