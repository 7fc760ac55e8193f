"""The queries that stand beside figures: SQL over the views of the store which gives the counts and means that a figure shows.

Each is written out in full, with the study and the filter in it, so that a reader can run it with `arena sql` and change it.  Intervals are
not in them: they are computed from the same values (clusters.py, bootstrap.py).  A phase is called as in frames.py: a name that an arm uses
in several rounds gets the round added.
"""

from __future__ import annotations

import re

from analysis.figures.figure import DebateFilter, conditions, literal

NAMED_TWICE = re.compile(r" #\d+$|, round \d+$")
DEBATES = """\
with debates as (
    select e.episode, e.arm, v.confidence_sum as winner, coalesce(p.model <> o.model, true) as of_two_models
    from episodes e join seats p on p.episode = e.episode and p.seat = 'proposition'
    join seats o on o.episode = e.episode and o.seat = 'opposition' left join outcomes v on v.debate = e.episode
    where e.status = 'done' and {conditions})"""
RATINGS = """,
ratings as (
    select d.*, t.seat, s.model, t.round, t.phase, t.confidence
    from debates d join {turns} t using (episode) join seats s using (episode, seat)
    where t.seat in ('proposition', 'opposition') and t.confidence_status <> 'not asked')"""
NUMBERED = """(
        select * replace (
            case when count(distinct round) over (partition by arm, phase) > 1 then phase || ', round ' || round else phase end as phase)
        from (
            select t.* replace (t.phase || case when row_number() over same > 1 then ' #' || row_number() over same else '' end as phase), d.arm
            from turns t join debates d using (episode)
            window same as (partition by t.episode, t.seat, t.round, t.phase order by t.step)))"""
CONFIDENCE = """
select {by}phase, count(confidence) as n, count(distinct episode) filter (confidence is not null) as debates,
       avg(confidence) as mean, stddev_samp(confidence) as sd, count(*) filter (confidence is null) as missing
from ratings{phase} group by {by}phase order by {by}max(round), phase"""
RELIABILITY = """
select round(greatest(ceil(round(10 * confidence, 7)), 1) / 10, 1) as up_to, count(*) as n, count(distinct episode) as debates,
       avg(confidence) as confidence, avg((winner = seat)::integer) as share
from ratings where phase = {phase} and confidence is not null and winner in ('proposition', 'opposition') group by up_to order by up_to"""
BOTH_SIDES = """,
pairs as (
    select phase, max(round) as round, min(confidence) as lower from ratings where phase in ({phases})
    group by episode, phase having count(confidence) = 2)
select phase, count(*) as debates, count(*) filter (lower >= 0.75) as at_least_75, count(*) filter (lower > 0.75) as above_75,
       count(*) filter (lower > 0.5) as above_50
from pairs group by phase order by max(round), phase"""
RISE = """,
moves as (
    select episode, seat, model, max(confidence) filter (phase = {first}) as first, max(confidence) filter (phase = {last}) as last
    from ratings where model is not null group by all)
select model, count(*) as n, avg(first) as first, avg(last) as last, avg(last - first) as rise
from moves where first is not null and last is not null group by model order by rise desc"""
LEADERBOARD = """
select s.model, count(*) as debates, sum(case d.winner when s.seat then 1 when 'tie' then 0.5 else 0 end) as wins,
       wins / count(*) as win_rate
from debates d join seats s using (episode)
where d.winner is not null and d.of_two_models and s.model is not null and s.seat in ('proposition', 'opposition')
group by s.model order by win_rate desc"""
STRENGTH = """
select s.agent, count(v.winner) as readings, count(*) filter (v.winner = s.seat) as for_it,
       count(*) filter (v.winner = 'abstain') as abstained, count(*) filter (v.winner is null) as missing
from debates d join seats s using (episode) join verdicts v on v.debate = d.episode
where s.seat in ('proposition', 'opposition') group by s.agent order by for_it desc"""
ACCURACY = """\
select arm, models, count(distinct subject) as questions, count(*) as plays,
       count(*) filter (correct is null) as unreadable, count(*) filter (correct) / count(*) as accuracy, avg(correct::integer) as of_readable,
       avg(tokens_out) as tokens_out, count(*) filter (tokens_out is null) as tokens_out_unknown
from question_plays where {conditions} group by arm, models order by arm, models"""
ANSWER_RELIABILITY = """\
select arm, models, round(greatest(ceil(round(10 * confidence, 7)), 1) / 10, 1) as up_to, count(*) as n, count(distinct subject) as questions,
       avg(confidence) as confidence, avg(correct::integer) as share
from question_plays where {conditions} and confidence is not null and correct is not null
group by arm, models, up_to order by arm, models, up_to"""
MISSING = """\
with plays as (select e.episode, e.status, e.error_kind from episodes e where {conditions}),
done as (select episode from plays where status = 'done'),
wanted as (
    select 'episode' as what, null as phase, status <> 'done' as missing,
           case status when 'open' then 'open' else 'failed: ' || error_kind end as reason from plays
    union all select 'episode', null, true, reason from missing, range(n) where study = {study} and reason = 'not started' and {whole}
    union all select 'confidence', phase, confidence is null, confidence_status from turns join done using (episode)
    where confidence_status <> 'not asked'
    union all select 'speech', phase, public_status <> 'read', public_status from turns join done using (episode)
    union all select 'winner', null, winner is null, status from verdicts join done using (episode)
    union all select 'answer', null, correct is null, coalesce(status, 'no answer') from answers join done using (episode))
select what, phase, reason, count(*) as n, first(total) as of, n / of as share
from (select *, count(*) over (partition by what, phase) as total from wanted) where missing
group by what, phase, reason order by share desc, what, phase, reason"""


def debates(study: str, where: DebateFilter) -> str:
    """The finished debates that the filter keeps, as the beginning of a query."""
    return DEBATES.format(
        conditions=" and ".join([f"e.study = {literal(study)}", *conditions(where)])
    )


def ratings(study: str, where: DebateFilter, phases: tuple[str, ...]) -> str:
    """Their ratings, as the beginning of a query; `phases` are those of the study, as frames.py calls them."""
    turns = NUMBERED if any(NAMED_TWICE.search(phase) for phase in phases) else "turns"
    return debates(study, where) + RATINGS.format(turns=turns)


def answer_conditions(study: str, where: DebateFilter) -> str:
    """The filter of plays of questions: arm and model alone."""
    found = [f"study = {literal(study)}"]
    if where.arm is not None:
        found.append(f"arm = {literal(where.arm)}")
    if where.model is not None:
        found.append(f"list_contains(string_split(models, ', '), {literal(where.model)})")
    return " and ".join(found)


def missing(study: str, where: DebateFilter) -> str:
    """What is missing, and of how many; the filter's arm, model and motion count."""
    found = [f"e.study = {literal(study)}"]
    if where.arm is not None:
        found.append(f"e.arm = {literal(where.arm)}")
    if where.model is not None:
        found.append(
            f"e.episode in (select episode from seats where model = {literal(where.model)})"
        )
    if where.subject is not None:
        found.append(f"e.subject = {literal(where.subject)}")
    return MISSING.format(
        conditions=" and ".join(found), study=literal(study), whole=str(len(found) == 1).lower()
    )
