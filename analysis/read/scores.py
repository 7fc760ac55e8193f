"""Read what estimators say of stored replies, whether these are right, and what each number cost.

Replies that are compared with each other stand in one group: the answers of one contestant in one
arm, the rated speeches of one phase of an arm, the readings of one judge.  An answer is right as it
was graded; a speech is if its side won by the majority of votes (the view outcomes); a reading of a
judge is if it names the winner of people's labels, where they were imported, else of the majority
of the other judges' votes.  Ties and what cannot be told are neither right nor wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from analysis.read.answers import Columns, fetch_columns
from analysis.read.relative_estimators import relative_estimators
from analysis.read.selection import ALL, LABELS, Selection, open_selected
from analysis.statistics.clustered import Array, Codes
from arena.errors import StudyError

NOT_SCORED = "not scored"
ANSWERS, SPEECHES, READINGS = "answers", "speeches", "readings"
VIEWS = (
    *("episodes", "latest_scores", "latest_turns", "latest_answers", "latest_rulings"),
    *("studies", "seats", "votes", "outcomes", "labels", "contestants", "call_ends", "calls"),
)
# The answer of a seat is its last, as scoring has it; a tie of labels or votes names nobody.
REPLIES = """
    create temp table reply_rows as
    with scored as (
        select distinct e.study, e.arm, e.subject, e.repeat, s.episode, s.seat, s.step
        from latest_scores s join episodes e using (episode)
        where $study is null or e.study = $study),
    given as (
        select episode, seat, correct::double as correct, canonical from latest_answers
        qualify row_number() over (partition by episode, seat order by stage desc, final) = 1),
    named as (
        select episode, value, count(*) as n from labels
        where question = 'winner' and value in ('proposition', 'opposition') group by all),
    gold as (
        select episode as debate, max_by(value, n) as winner from named group by episode
        having count(*) = 1 or max(n) > max(n, 2)[2]),
    ruled as (
        select r.episode, r.debate, r.judge, r.winner,
               sum((v.winner = 'proposition')::int - (v.winner = 'opposition')::int) as lead
        from latest_rulings r left join votes v on v.debate = r.debate and v.judge <> r.judge
        group by all),
    judged as (
        select r.*, coalesce(g.winner, case when lead > 0 then 'proposition'
                                            when lead < 0 then 'opposition' end) as truth
        from ruled r left join gold g using (debate)),
    kinds as (
        select k.*, g.canonical, c.{label} as who, t.phase,
               (length(t.text) + coalesce(length(t.reask_text), 0))::double as chars,
               case when g.episode is not null then 'answers'
                    when j.episode is not null then 'readings' else 'speeches' end as kind,
               case when g.episode is not null then g.correct
                    when j.episode is not null
                        then case when j.winner in ('proposition', 'opposition')
                                  then (j.winner = j.truth)::double end
                    when o.majority in ('proposition', 'opposition')
                        then (k.seat = o.majority)::double end as correct,
               coalesce(j.debate, k.subject) as question
        from scored k join latest_turns t using (episode, seat, step)
        left join contestants c using (episode, seat)
        left join given g using (episode, seat) left join judged j on j.episode = k.episode
        left join outcomes o on o.debate = k.episode),
    parted as (
        select *, dense_rank() over (
                      order by study, kind, arm, case when kind <> 'speeches' then who end,
                               case when kind = 'speeches' then phase end) - 1 as part
        from kinds)
    select *, row_number() over (
                  order by part, question, who, repeat, episode,
                           regexp_replace(seat, '[0-9]+$', ''),
                           try_cast(regexp_extract(seat, '[0-9]+$') as bigint), seat, step) - 1
                  as reply
    from parted
"""
GROUPS = """
    select part, any_value(study) as study, any_value(kind) as kind, any_value(arm) as arm,
           any_value(who) as who, any_value(phase) as phase
    from reply_rows group by part order by part
"""
# A reply's own calls say what another sample of the question costs; a cached reply counts as when
# it was asked for.
SPENT = """
    create temp table spent_calls as
    select c.episode, c.seat, c.step, c.status in ('ok', 'cached') as answered,
           if(c.status = 'cached', o.cost_usd, c.cost_usd) as dollars,
           if(c.status = 'cached', o.latency_s, c.latency_s) as seconds
    from calls c left join (
        select * from call_ends where status = 'ok'
        qualify row_number() over (partition by episode, seat, step, ask order by started_at) = 1) o
    on c.status = 'cached' and o.episode = c.cached_from and o.seat = c.seat and o.step = c.step
    where c.episode in (select episode from reply_rows)
       or c.episode in (select scoring from latest_scores)
"""
SUMS = """
    count(*) filter (answered)::double as calls,
    if(count(*) filter (dollars is null) = 0, sum(dollars), null) as dollars,
    sum(seconds) as seconds
"""
REPLY_ROWS = f"""
    with own as (select episode, seat, step, {SUMS} from spent_calls group by all)
    select r.part, r.reply, r.question, r.correct, r.chars,
           coalesce(case when canonical is not null
                         then dense_rank() over (order by canonical nulls last) end, 0) - 1 as vote,
           o.calls, o.dollars, o.seconds
    from reply_rows r left join own o using (episode, seat, step) order by r.reply
"""
SOURCES = """
    create temp table sources as
    select row_number() over (order by part, name, scoring_study, scoring_arm) - 1 as source, *
    from (
        select r.part, s.name, s.scoring_study, s.scoring_arm, max(s.kind) as kind,
               max(s.samples) as samples,
               max(len(from_json(s.details->'features', '["DOUBLE"]'))) as features
        from latest_scores s join reply_rows r using (episode, seat, step) group by all)
"""
SOURCE_ROWS = """
    select source, part, name, scoring_study, scoring_arm, kind, samples, features,
           count(*) over (partition by part, name) > 1 as several
    from sources order by source
"""
VALUES = """
    select f.source, r.reply, s.value, s.value is null as missing, s.status
    from latest_scores s join reply_rows r using (episode, seat, step)
    join sources f on f.part = r.part and f.name = s.name
        and f.scoring_study = s.scoring_study and f.scoring_arm = s.scoring_arm
"""
FEATURES = f"""
    select f.source, r.reply, from_json(s.details->'features', '["DOUBLE"]') as features
    {VALUES[VALUES.index("from latest_scores") :]} where f.features > 0
"""
# A pass scores all replies to a question, of one contestant; those to a motion are of several
# phases, each of which has its share.
PASSES = f"""
    with passes as (
        select r.part, s.scoring_study, s.scoring_arm, s.scoring, count(distinct r.reply) as n
        from latest_scores s join reply_rows r using (episode, seat, step) group by all),
    shares as (select *, n / sum(n) over (partition by scoring) as share from passes),
    own as (select episode, {SUMS} from spent_calls group by episode)
    select part, scoring_study, scoring_arm, coalesce(sum(share * calls), 0) as calls,
           if(count(*) filter (o.episode is not null and dollars is null) = 0,
              coalesce(sum(share * dollars), 0), null) as dollars,
           coalesce(sum(share * seconds), 0) as seconds
    from shares p left join own o on o.episode = p.scoring group by all
"""
SIMULATED = "select study, coalesce(simulated, false) from studies"
# Speeches and readings are right by votes: where simulated judges cast some, so is that.
SIMULATED_JUDGES = """
    select distinct p.part
    from reply_rows p
    join latest_rulings r on r.debate = if(p.kind = 'readings', p.question, p.episode)
    join episodes e on e.episode = r.episode join studies s on s.study = e.study
    where p.kind <> 'answers' and s.simulated
"""
# The record says of runs whether a simulated model sat in them.  By its name a model is simulated;
# in a simulated study where no name tells, each that sits in no other study is taken for one.
SIMULATED_SOURCES = r"""
    with seated as (
        select distinct e.study, e.arm, t.model, regexp_matches(t.model, '^(sim|scripted)/') as told
        from episodes e join seats t using (episode)),
    real as (
        select distinct model from seated join studies using (study)
        where not coalesce(simulated, false))
    select distinct t.study, t.arm
    from seated t join studies s using (study)
    where s.simulated and (t.told or t.model not in (select model from real)
        and not exists (from seated o where o.study = t.study and o.told))
"""


@dataclass(frozen=True, slots=True)
class Spent:
    """What was spent, as means a question: calls with a reply, dollars and seconds; nan: unknown.

    Seconds are those of calls, added up: fewer pass where calls go on side by side.
    """

    calls: float
    dollars: float
    seconds: float


@dataclass(frozen=True, slots=True)
class EstimatorScores:
    """One estimator of a group of N replies.

    `values` (N,) are nan where missing, for reasons that `missing` counts.  `kind` is "probability"
    or "score"; `samples` the most stored replies that one number was made of.  `source` names the
    study and arm that computed it: estimators of one source were computed in one pass, which cost
    `spent`; `simulated` says whether a simulated model was asked in it.  `features` (N, K) are for
    estimators that are learned, None: it has none.
    """

    name: str
    kind: str
    values: Array
    missing: Mapping[str, int]
    samples: int
    source: tuple[str, str]
    spent: Spent
    features: Array | None = None
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class ScoredGroup:
    """N replies that are compared, (N,) each, with what estimators say of them.

    `kind` is "answers", "speeches" or "readings"; `part` is who answered or judged, or the phase of
    the speeches.  `question` is a code in [0, questions); replies to one question stand together,
    in the order in which they were asked for.  `correct` is 1 or 0, nan where it cannot be told.
    `length` counts characters; `vote` is a code of the answer's value, -1 without one.  `own` is
    what the replies themselves took: an array (N, 3) of calls, dollars, seconds, nan where unknown.
    `subjects` (questions,) are the ids of the questions.  `simulated` says whether simulated models
    spoke, or judged what is right; an estimator says for itself whether it asked one.
    """

    study: str
    kind: str
    arm: str
    part: str
    simulated: bool
    question: Codes
    correct: Array
    length: Array
    vote: Codes
    own: Array
    subjects: tuple[str, ...] = ()
    estimators: tuple[EstimatorScores, ...] = field(default=())

    @property
    def questions(self) -> int:
        """Return how many questions there are."""
        return int(self.question.max(initial=-1)) + 1


def read_scores(
    path: Path, study: str | None = None, selection: Selection = ALL
) -> list[ScoredGroup]:
    """Return the groups of scored replies of a study, or of all, by study.

    The selection says who is one contestant, and whether leftovers count; a filter of episodes
    would leave out the scorings themselves.  Raises StudyError for a study that the store does not
    have, and StoreError if the store cannot be read.
    """
    with open_selected(path, selection, VIEWS) as (con, _):
        simulated = dict(con.execute(SIMULATED).fetchall())
        if study is not None and study not in simulated:
            listed = ", ".join(simulated) or "none"
            raise StudyError(f"there is no study {study!r} in {path}; there are: {listed}")
        con.execute(REPLIES.format(label=LABELS[selection.by]), {"study": study})
        heads = con.execute(GROUPS).fetchall()
        if not heads:
            return []
        con.execute(SPENT)
        con.execute(SOURCES)
        record = Record(
            fetch_columns(con, REPLY_ROWS),
            con.execute(SOURCE_ROWS).fetchall(),
            fetch_columns(con, VALUES),
            fetch_columns(con, FEATURES),
            {row[:3]: row[3:] for row in con.execute(PASSES).fetchall()},
            relative_estimators(con),
            frozenset(con.execute(SIMULATED_SOURCES).fetchall()),
        )
        by_simulated = {part for (part,) in con.execute(SIMULATED_JUDGES).fetchall()}
    groups = []
    for part, own_study, kind, arm, who, phase in heads:
        mine = record.replies["part"] == part
        columns = {name: column[mine] for name, column in record.replies.items()}
        name = (phase if kind == SPEECHES else who) or "unknown"
        made_up = simulated.get(own_study, False) or part in by_simulated
        group = group_of(columns, own_study, kind, arm, name, made_up)
        first = int(np.flatnonzero(mine)[0])
        estimators = tuple(estimators_of(record, part, first, group))
        groups.append(replace(group, estimators=estimators))
    return groups


@dataclass(frozen=True, slots=True)
class Record:
    """What the queries of `read_scores` give: columns, rows of sources, and what passes took."""

    replies: Columns
    sources: list[tuple[Any, ...]]
    values: Columns
    features: Columns
    passes: Mapping[tuple[object, ...], Sequence[float | None]]
    ranks: Mapping[int, Mapping[str, Array]]
    simulated: Set[tuple[str, str]]


def estimators_of(
    record: Record, part: int, first: int, group: ScoredGroup
) -> Iterator[EstimatorScores]:
    """Yield the estimators of a group, whose first reply has this number."""
    size = group.correct.size
    for source, own, name, study, arm, kind, samples, width, several in record.sources:
        if own != part:
            continue
        mine = record.values["source"] == source
        values = np.full(size, np.nan)
        values[record.values["reply"][mine] - first] = record.values["value"][mine]
        counts = Counter(record.values["status"][mine & record.values["missing"]].tolist())
        counts[NOT_SCORED] += size - np.unique(record.values["reply"][mine]).size
        features = None
        if width:
            with_features = record.features["source"] == source
            features = np.full((size, width), np.nan)
            place = record.features["reply"][with_features] - first
            for row, numbers in zip(place, record.features["features"][with_features], strict=True):
                # Features of another length cannot be compared: they stay missing.
                if len(numbers) == width:
                    features[row] = np.ma.filled(numbers, np.nan)
        found = EstimatorScores(
            f"{name} ({study}, {arm})" if several else name,
            kind,
            values,
            {str(reason): count for reason, count in counts.most_common() if count},
            samples or 1,
            (study, arm),
            per_question(record.passes[part, study, arm], group.questions),
            features,
            (study, arm) in record.simulated,
        )
        yield found
        for ranked, ranks in record.ranks.get(source, {}).items():
            # Replies beyond the last one that was compared have no rank.
            own_ranks = np.full(size, np.nan)
            told = ranks[first : first + size]
            own_ranks[: told.size] = told
            yield replace(found, name=found.name.replace(name, ranked, 1), values=own_ranks)


def group_of(
    columns: Columns, study: str, kind: str, arm: str, part: str, simulated: bool
) -> ScoredGroup:
    """Return a group of replies from its columns, without estimators."""
    # Rows are sorted by question: codes in the order of the rows.
    starts = np.concatenate(([True], columns["question"][1:] != columns["question"][:-1]))
    own = np.stack([columns[name] for name in ("calls", "dollars", "seconds")], axis=1)
    return ScoredGroup(
        study,
        kind,
        arm,
        part,
        simulated,
        np.cumsum(starts).astype(np.int64) - 1,
        columns["correct"].astype(np.float64),
        columns["chars"].astype(np.float64),
        columns["vote"].astype(np.int64),
        own.astype(np.float64),
        tuple(columns["question"][starts].tolist()),
    )


def per_question(spent: Sequence[float | None], questions: int) -> Spent:
    """Return sums as means a question; None is unknown."""
    return Spent(*(np.nan if each is None else float(each) / questions for each in spent))
