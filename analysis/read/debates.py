"""Read the finished debates of each study: ratings as arrays, and counts of missing values.

All is read over one connection, so it shows one moment of a store that is being written, journals
included.  A study's ratings lie in one block (debates, 2 sides, phases), so that everything that
follows is arithmetic on axes.  Texts are not read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from analysis.read.rating_kinds import NOTHING, RatingKinds, read_kinds
from analysis.read.selection import ALL, LABELS, By, Chosen, Selection, label_sql, open_selected
from analysis.statistics.clustered import Array, Mask
from arena.errors import StudyError
from arena.store.views.contestants import SEATS, join_agents
from arena.store.views.debates import with_labels

Names = NDArray[np.object_]
SIDES = ("proposition", "opposition")

# Debates that are not finished count here too, so this cannot read the view `debates`.
EPISODES = """
    select study, arm, status, null as phase, null as reason, count(*) as n
    from episodes e join seats s on s.episode = e.episode and s.seat = 'proposition'
    group by all order by all
"""
UNFINISHED = """
    select study, episode, arm, status, subject, coalesce(repeat, 0) as repeat
    from episodes where status <> 'done' and (study = $1 or $1 is null) order by all
"""
# Of few episodes: the view contestants would name all seats of the store first.
UNFINISHED_SEATS = f"""
    with few as (from {SEATS} where episode in (select unnest($1))),
    named as (
        select s.episode, s.seat, a.contestant, s.model, a.setting
        from few s join plays p using (episode) {join_agents("a", play="p", seat="s")})
    select episode, any_value({{label}}) filter (seat = 'proposition'),
           any_value({{label}}) filter (seat = 'opposition')
    from named group by episode
    having list_contains(list(seat), 'proposition') and list_contains(list(seat), 'opposition')
"""
# Whose call was the last to fail: it ended the debate.
FAILED_SEATS = """
    select episode, arg_max(seat, started_at) from calls
    where status = 'failed' and list_contains($1, episode) group by episode
"""
STUDIES = """
    select study, coalesce(simulated, false), origin from studies order by created_at, study
"""
DEBATES = """
    create temp table debate_rows as
    select d.study, d.arm, d.episode, d.subject, coalesce(d.repeat, 0) as repeat,
           {labels[0]} as proposition, {labels[1]} as opposition, d.proposition_contestant,
           d.opposition_contestant, d.proposition_model, d.opposition_model, d.against_itself,
           o.majority, o.confidence_sum,
           coalesce(o.votes_proposition + o.votes_opposition, 0) as votes,
           coalesce(o.abstained, 0) as abstained, coalesce(o.flipped, 0) as flipped,
           coalesce(o.missing, 0) as missing
    from debates d {joins} left join outcomes o on o.debate = d.episode
    where d.study = $1 or $1 is null order by d.study, d.arm, d.episode
"""
# A table in memory keeps the order of its rows, which rowid counts from 0.
ROWS = """
    select study, arm, proposition_model, opposition_model, proposition, opposition,
           against_itself, majority, confidence_sum, votes, abstained, flipped, missing, episode,
           subject, repeat
    from debate_rows order by rowid
"""
STARTS = "select study, (min(rowid), count(*)) from debate_rows group by study"
VOTES = ("votes", "abstained", "flipped", "missing")
# How often judges agree with themselves, over all of a debate's judges; most read a text once.
HAS_RETESTS = """
    select 1 from latest_rulings group by debate, judge, seat_order having count(*) > 1 limit 1
"""
RETESTS = """
    select d.rowid as row, sum(pairs)::bigint as pairs, sum(same)::bigint as same
    from retests r join debate_rows d on d.episode = r.debate where pairs > 0 group by d.rowid
"""
POOLED = """
    select study, label, list(distinct contestant order by contestant) from (
        select study, proposition as label, proposition_contestant as contestant from debate_rows
        union all select study, opposition, opposition_contestant from debate_rows)
    where label is not null group by study, label having count(distinct contestant) > 1 order by all
"""
# The columns of the view ratings that a report needs, of the debates that it speaks of.
RATED_TURNS = """
    select d.rowid as row, d.study, d.arm, t.episode, t.seat, t.step, t.round, t.phase,
           t.confidence, t.confidence_source, t.confidence_status <> 'not asked' as asked,
           coalesce(len(t.flags), 0) > 0 as flagged
    from latest_turns t join debate_rows d using (episode)
    where t.seat in ('proposition', 'opposition')
"""
RATINGS = (
    "create temp table rating_rows as select * from"
    f" ({with_labels(RATED_TURNS, 'study, arm, asked')}) where asked"
)
# Arms of a study share a phase by its name, wherever it stands in each, so that closings are
# closings; phases are in the order of the latest round of each.
PHASES = """
    create temp table phase_rows as
    select study, label, row_number() over (partition by study order by max(round), label) - 1
               as place
    from rating_rows group by study, label
"""
TURNS = """
    select row, (seat = 'opposition')::integer as side, place, confidence, flagged
    from rating_rows join phase_rows using (study, label)
"""
FLAGS = """
    select study, arm, flag, phase, null as reason, count(*) as n from (
        select d.study, d.arm, t.phase, unnest(t.flags) as flag
        from latest_turns t join debate_rows d using (episode))
    group by all order by all
"""
JUDGED_BY_SIMULATED = """
    select distinct d.study
    from studies s join plays j using (study) join latest_rulings v on v.episode = j.episode
    join debate_rows d on d.episode = v.debate anti join left_out l on l.episode = v.episode
    where s.simulated
"""
# How many of the plays that have not begun would be chosen, nobody can say.
MISSING = """
    select study, arm, what, phase, reason, n from missing
    where not ($some_only and reason = 'not started') order by all
"""


@dataclass(frozen=True, slots=True)
class Debates:
    """G finished debates with 2 sides and P phases in which a rating was asked for, in order.

    The sides are proposition and opposition.  `confidence` (G, 2, P) is in [0, 1], nan without a
    rating; `asked` (G, 2, P) says whether one was asked for, `flagged` (G, 2, P) whether its turn
    carries a flag, a doubt in words.  `arm` (G,) holds labels, `model` (G, 2) model references,
    `model_code` (G, 2) their places in the order of the study's, unknown ones last, and
    `contestant` (G, 2) who counts as one, None if unknown; `itself` (G,) says whether one
    contestant sat on both sides, of the same model, system prompt and sampling.  `winner` (G,) is
    "proposition", "opposition" or "tie" by the majority of votes, `by_confidence_sum` (G,) the same
    by the larger sum of the votes' confidences; None if not judged.  `votes` (G, 4) counts the
    votes for a side, the abstentions, those of them that changed with the seat order, and the votes
    that are missing.  `retest` (G, 2) counts pairs of readings of one text by one judge, and those
    that agree.  `episode` (G,) and `subject` (G,) are ids, the subject None if unknown; `repeat`
    (G,) is 0 if unknown.
    """

    phases: tuple[str, ...]
    confidence: Array
    asked: Mask
    flagged: Mask
    arm: Names
    model: Names
    model_code: NDArray[np.int64]
    contestant: Names
    itself: Mask
    winner: Names
    by_confidence_sum: Names
    votes: NDArray[np.int64]
    retest: NDArray[np.int64]
    episode: Names
    subject: Names
    repeat: NDArray[np.int64]

    def select(self, chosen: Mask) -> Debates:
        """Return the debates in a mask (G,), with the phases in which they were asked."""
        phases: Mask = np.any(self.asked[chosen], axis=(0, 1))
        names = [field.name for field in fields(self) if field.name != "phases"]
        part = {name: getattr(self, name)[chosen] for name in names}
        for name in ("confidence", "asked", "flagged"):
            part[name] = part[name][:, :, phases]
        return Debates(tuple(np.array(self.phases, dtype=object)[phases].tolist()), **part)

    def models(self) -> list[str]:
        """Return the names of the models that are known, sorted."""
        return sorted({name for name in self.model.ravel().tolist() if name is not None})

    def contestants(self) -> list[str]:
        """Return the names of the contestants that are known, sorted."""
        return sorted({name for name in self.contestant.ravel().tolist() if name is not None})

    def against_itself(self) -> Mask:
        """Return (G,) whether both seats were held by the same contestant."""
        return self.itself

    def outcome(self) -> Array:
        """Return (G, 2) 1 for the winner, 0 for the loser, 0.5 in a tie, nan if not judged.

        By the majority of votes.
        """
        return results_of(self.winner)

    def outcome_by_confidence_sum(self) -> Array:
        """Return (G, 2) the same by the larger sum of the votes' confidences."""
        return results_of(self.by_confidence_sum)


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A debate that has failed or is still open, by `status`.

    `contestants` are those of the proposition and of the opposition, `failed_seat` the seat whose
    call failed last; None if unknown.
    """

    arm: str
    status: str
    subject: str | None
    repeat: int
    contestants: tuple[str | None, str | None]
    failed_seat: str | None


@dataclass(frozen=True, slots=True)
class Count:
    """How often something holds in an arm: `what` is a flag, a missing value or a status.

    `phase` is None if it concerns no phase, `reason` if there is none to give.
    """

    arm: str
    what: str
    phase: str | None
    reason: str | None
    n: int


@dataclass(frozen=True, slots=True)
class DebateRecord:
    """The finished debates of one study as arrays, and counts.

    `episodes` counts debates by status (`what`), `flags` the flagged turns of finished debates,
    `missing` the rows of the view `missing`.  `judges_simulated` says whether any verdict on its
    debates comes from a study with simulated models.  `pooled` has the contestants that count as
    one, by its name; `chosen` says what is left out, None: nothing.  `kinds` says what kind of
    numbers the ratings are.
    """

    study: str
    simulated: bool
    origin: str | None
    debates: Debates
    episodes: tuple[Count, ...]
    flags: tuple[Count, ...]
    missing: tuple[Count, ...]
    judges_simulated: bool
    unfinished: tuple[Unfinished, ...] = ()
    by: By = "agent"
    pooled: tuple[tuple[str, tuple[str, ...]], ...] = ()
    chosen: Chosen | None = None
    kinds: RatingKinds = NOTHING


def results_of(winner: Names) -> Array:
    """Return (G, 2) 1 for the winner (G,), 0 for the loser, 0.5 in a tie, nan for None."""
    result = np.full((len(winner), 2), np.nan)
    for side, name in enumerate(SIDES):
        result[winner == name] = np.eye(2)[side]
    result[winner == "tie"] = 0.5
    return result


def read_records(
    path: Path, study: str | None = None, selection: Selection = ALL, *, readings: bool = False
) -> list[DebateRecord]:
    """Return the record of each study that has debates, oldest first, or of one study.

    With `readings` those of judges are in its kinds.  Raises StoreError if the store cannot be
    read, and StudyError if the study is unknown, or has no debates that are chosen.
    """
    labels, joins = label_sql(selection.by)
    with open_selected(path, selection) as (con, left_out):
        heads = {name: head for name, *head in con.execute(STUDIES).fetchall()}
        episodes = con.execute(EPISODES).fetchall()
        debated = oldest_first(heads, {name for name, *_ in episodes})
        chosen = [name for name in debated if study in (None, name)]
        if study is not None and not chosen:
            if study in left_out and left_out[study].leaves_out:
                raise StudyError(f"the study {study!r} has no such debates: {left_out[study].note}")
            raise StudyError(no_debates_message(study, study in heads, debated, path))
        con.execute(DEBATES.format(labels=labels, joins=joins), [study])
        debates = read_debates(con, chosen)
        kinds = read_kinds(con, readings=readings)
        flags = con.execute(FLAGS).fetchall()
        missing = con.execute(MISSING, {"some_only": bool(selection.filters)}).fetchall()
        pooled = con.execute(POOLED).fetchall() if selection.by != "agent" else []
        # Most studies are finished: their seats need not be looked through.
        some_open = any(status != "done" for _, _, status, *_ in episodes)
        unfinished = read_unfinished(con, study, selection.by) if some_open else []
        simulated_juries = {name for (name,) in con.execute(JUDGED_BY_SIMULATED).fetchall()}
    records = []
    for name in chosen:
        simulated, origin = heads.get(name, (False, None))
        records.append(
            DebateRecord(
                name,
                simulated,
                origin,
                debates[name],
                counts_of(episodes, name),
                counts_of(flags, name),
                counts_of(missing, name),
                name in simulated_juries,
                tuple(each for own, each in unfinished if own == name),
                selection.by,
                tuple((label, tuple(names)) for own, label, names in pooled if own == name),
                left_out.get(name),
                kinds.get(name, NOTHING),
            )
        )
    return records


def read_unfinished(
    con: duckdb.DuckDBPyConnection, study: str | None, by: By
) -> list[tuple[str, Unfinished]]:
    """Return (study, debate) of each debate that has failed or is open."""
    rows = con.execute(UNFINISHED, [study]).fetchall()
    seated = con.execute(
        UNFINISHED_SEATS.format(label=LABELS[by]), [[episode for _, episode, *_ in rows]]
    ).fetchall()
    sides = {episode: (first, second) for episode, first, second in seated}
    failed = [episode for _, episode, _, status, *_ in rows if status == "failed"]
    seats = dict(con.execute(FAILED_SEATS, [failed]).fetchall()) if failed else {}
    return [
        (own, Unfinished(arm, status, subject, repeat, sides[episode], seats.get(episode)))
        for own, episode, arm, status, subject, repeat in rows
        if episode in sides
    ]


def oldest_first(heads: Collection[str], names: set[str]) -> list[str]:
    """Return names of studies in the order of `heads`, those that have no head last."""
    # A study without a run, of a journal that was cut off, has none.
    return [name for name in heads if name in names] + sorted(names.difference(heads))


def counts_of(rows: Iterable[tuple[Any, ...]], study: str) -> tuple[Count, ...]:
    """Return the counts of one study; a row is (study, arm, what, phase, reason, n)."""
    return tuple(Count(*count) for name, *count in rows if name == study)


def no_debates_message(study: str, is_known: bool, debated: list[str], path: Path) -> str:
    """Return the sentence for a study that cannot be reported."""
    problem = (
        f"the study {study!r} has no debates"
        if is_known
        else f"there is no study {study!r} in {path}"
    )
    return f"{problem}; with debates there are: {', '.join(debated) or 'none'}"


def read_debates(con: duckdb.DuckDBPyConnection, studies: list[str]) -> dict[str, Debates]:
    """Return the finished debates of each study, from the temporary table debate_rows."""
    con.execute(RATINGS)
    con.execute(PHASES)
    columns = con.execute(ROWS).fetchnumpy()
    debates_in_all = len(columns["study"])
    retest = np.zeros((debates_in_all, 2), dtype=np.int64)
    if con.execute(HAS_RETESTS).fetchone() is not None:
        pairs = con.execute(RETESTS).fetchnumpy()
        retest[pairs["row"]] = np.stack([pairs["pairs"], pairs["same"]], axis=1)
    phases: dict[str, list[str]] = {name: [] for name in studies}
    for name, label in con.execute(
        "select study, label from phase_rows order by study, place"
    ).fetchall():
        phases[name].append(label)
    # One block for all studies, as wide as the study with most phases; each takes its part below.
    confidence = np.full((debates_in_all, 2, max(map(len, phases.values()), default=0)), np.nan)
    asked = np.zeros(confidence.shape, dtype=bool)
    flagged = np.zeros(confidence.shape, dtype=bool)
    turns = con.execute(TURNS).fetchnumpy()
    cells = turns["row"], turns["side"], turns["place"]
    confidence[cells] = np.ma.filled(turns["confidence"].astype(np.float64), np.nan)
    asked[cells] = True
    flagged[cells] = turns["flagged"]
    # The rows of a study stand together.
    starts = dict(con.execute(STARTS).fetchall())
    debates = {}
    for name, labels in phases.items():
        first, size = starts.get(name, (0, 0))
        own = slice(first, first + size)
        width = len(labels)
        part = {key: with_none(values[own]) for key, values in columns.items()}
        model = both_sides_of(part, "{}_model")
        debates[name] = Debates(
            tuple(labels),
            confidence[own, :, :width],
            asked[own, :, :width],
            flagged[own, :, :width],
            arm=part["arm"],
            model=model,
            model_code=codes_by_name(model),
            contestant=both_sides_of(part, "{}"),
            itself=part["against_itself"],
            winner=part["majority"],
            by_confidence_sum=part["confidence_sum"],
            votes=np.stack([part[key] for key in VOTES], axis=1),
            retest=retest[own],
            episode=part["episode"],
            subject=part["subject"],
            repeat=part["repeat"],
        )
    return debates


def with_none(values: NDArray[Any]) -> NDArray[Any]:
    """Return a column of a query, None where a text is NULL."""
    result: NDArray[Any] = np.ma.getdata(values)
    if values.dtype == object:
        result[np.ma.getmaskarray(values)] = None
    return result


def both_sides_of(columns: Mapping[str, NDArray[Any]], name: str) -> Names:
    """Return (G, 2) the columns of both sides, by a name with {} for the side."""
    return np.stack([columns[name.format(side)] for side in SIDES], axis=1)


def codes_by_name(names: Names) -> NDArray[np.int64]:
    """Return the place of each name among those that are known, in their order; None comes last."""
    flat = names.ravel().tolist()
    place = {name: at for at, name in enumerate((*sorted({*flat} - {None}), None))}
    return np.array([place[name] for name in flat], dtype=np.int64).reshape(names.shape)
