"""The query beside each figure: its counts and means as SQL over the views of the store.

Each is `from <view> where ...`, written out with the study and the filter, so that a reader can run
it with `arena sql` and change it.  Intervals are not in the queries: they are computed from the
same values (statistics/clustered.py, statistics/bootstrap.py).
"""

from __future__ import annotations

from collections.abc import Mapping

from analysis.figures.figure import DebateFilter

# The bins of ten points are closed on the right, as in `bin_of`.
BIN = "round(greatest(ceil(round(10 * confidence, 7)), 1) / 10, 1)"
CONFIDENCE = """\
select {by}label as phase, count(confidence) as n,
       count(distinct episode) filter (confidence is not null) as debates,
       avg(confidence) as mean, stddev_samp(confidence) as sd, count(*) filter (missing) as missing
from ratings where asked and in_debate and {conditions}
group by {by}label order by {by}max(round), label"""
RELIABILITY = f"""\
select {BIN} as up_to, count(*) as n, count(distinct episode) as debates,
       avg(confidence) as confidence, avg(result) as share
from ratings join (select episode, seat, result from debaters) using (episode, seat)
where label = {{phase}} and confidence is not null and result in (0, 1) and {{conditions}}
group by up_to order by up_to"""
BOTH_SIDES = """\
select label as phase, count(*) as debates, count(*) filter (lower >= 0.75) as at_least_75,
       count(*) filter (lower > 0.75) as above_75, count(*) filter (lower > 0.5) as above_50
from side_confidence where lower is not null and label in ({phases}) and {conditions}
group by label order by max(round), label"""
RISE = """\
select f.contestant, count(*) as n, avg(f.confidence) as first, avg(l.confidence) as last,
       avg(l.confidence - f.confidence) as rise
from (from ratings where label = {first} and in_debate and {conditions}) f
join (from ratings where label = {last} and in_debate and {conditions}) l using (episode, seat)
where f.contestant is not null and f.confidence is not null and l.confidence is not null
group by f.contestant order by rise desc"""
LEADERBOARD = """\
select contestant, count(*) as debates, sum(result) as wins, wins / count(*) as win_rate,
       count(result_by_confidence_sum) as debates_by_confidence_sum,
       sum(result_by_confidence_sum) as wins_by_confidence_sum
from debaters
where result is not null and not against_itself and contestant is not null and {conditions}
group by contestant order by win_rate desc"""
STRENGTH = """\
select d.contestant as agent, count(v.winner) as votes,
       count(*) filter (v.winner = d.seat) as for_it,
       count(*) filter (v.winner = 'abstain') as abstained,
       count(*) filter (v.winner = 'abstain' and v.flipped) as flipped,
       count(*) filter (v.winner is null) as missing
from debaters d join votes v on v.debate = d.episode
where d.study = {study} and d.contestant <> d.opponent_contestant
group by d.contestant order by for_it desc"""
ACCURACY = """\
select arm, models, count(distinct subject) as questions, count(*) as plays,
       count(*) filter (correct is null) as unreadable,
       count(*) filter (correct) / count(*) as accuracy, avg(correct::integer) as of_readable,
       avg(tokens_out) as tokens_out, count(*) filter (tokens_out is null) as tokens_out_unknown
from question_plays where {conditions} group by arm, models order by arm, models"""
ANSWER_RELIABILITY = f"""\
select arm, models, {BIN} as up_to, count(*) as n, count(distinct subject) as questions,
       avg(confidence) as confidence, avg(correct::integer) as share
from question_plays where confidence is not null and correct is not null and {{conditions}}
group by arm, models, up_to order by arm, models, up_to"""
ESTIMATORS = """\
select e.arm, s.name, count(s.value) as n, count(distinct e.subject) as questions
from latest_scores s join episodes e using (episode) where {conditions}
group by e.arm, s.name order by e.arm, s.name"""
MISSING = """\
select what, phase, reason, count(*) filter (missing) as n,
       (sum(count(*)) over (partition by what, phase))::bigint as of, n / of as share
from completeness where {conditions}
group by what, phase, reason, missing qualify missing
order by share desc, what, phase, reason"""


def literal(value: str) -> str:
    """Return a text as SQL writes it.

    Characters that a reader could not see, such as controls and marks of the writing direction, are
    written as their numbers.
    """
    parts = [
        part if part.isprintable() else f"' || chr({ord(part)}) || '"
        for part in value.replace("'", "''")
    ]
    quoted = f"'{''.join(parts)}'"
    return quoted if value.isprintable() else f"({quoted})"


def equal_to(columns: Mapping[str, str | None]) -> list[str]:
    """Return the conditions that columns have these values; a column without a value has none."""
    return [f"{name} = {literal(value)}" for name, value in columns.items() if value is not None]


def debate_conditions(study: str, where: DebateFilter) -> str:
    """Return the debates that a filter keeps, as conditions on the views of debates."""
    conditions = equal_to({"study": study, "arm": where.arm, "subject": where.subject})
    if where.model is not None:
        # The columns of a side's view; a view of both sides is asked for its debates.
        conditions.append(
            f"episode in (select episode from debaters where {literal(where.model)}"
            " in (model, contestant))"
        )
    if where.outcome == "not judged":
        conditions.append("episode not in (select debate from outcomes where majority is not null)")
    elif where.outcome is not None:
        winner = literal(where.outcome)
        conditions.append(f"episode in (select debate from outcomes where majority = {winner})")
    return " and ".join(conditions)


def answer_conditions(study: str, where: DebateFilter) -> str:
    """Return the plays of questions that a filter keeps; only its arm and model count."""
    conditions = equal_to({"study": study, "arm": where.arm})
    if where.model is not None:
        conditions.append(f"list_contains(string_split(models, ', '), {literal(where.model)})")
    return " and ".join(conditions)


def missing(study: str, where: DebateFilter) -> str:
    """Return the query for missing values; the filter's arm, model and motion count."""
    conditions = equal_to({"study": study, "arm": where.arm, "subject": where.subject})
    if where.model is not None:
        conditions.append(
            f"episode in (select episode from contestants where {literal(where.model)}"
            " in (model, contestant))"
        )
    return MISSING.format(conditions=" and ".join(conditions))
