"""The views of a store: questions that users ask, as SQL over the tables of schema.py.

`studies`, `episodes`, `calls`, `saw`, `cost` and `missing` show everything; the others read finished episodes only.
Order matters, since later views read earlier ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field

FACES = "public; own: with private thoughts and rating; rated: public text and rating; verbatim: the raw reply, as a prefill"
DONE = "join episodes e on e.episode = t.episode and e.status = 'done'"


@dataclass(frozen=True, slots=True)
class View:
    """One view: its comment, its SQL, and comments for the columns that need one."""

    comment: str
    sql: str
    columns: dict[str, str] = field(default_factory=dict)


VIEWS: dict[str, View] = {
    "studies": View(
        "One row is a study, out of its runs",
        """
        select study, min(started_at) as created_at, first(git_commit order by started_at) as git_commit,
               first(versions order by started_at) as versions, bool_or(simulated) as simulated, first(origin order by started_at) as origin
        from runs group by study order by created_at, study
        """,
        {
            "study": "the study's name",
            "created_at": "UTC, start of the first run, or the import",
            "simulated": "whether simulated or scripted models spoke in any run of it",
        },
    ),
    "episodes": View(
        "One row is one play of a protocol, with its latest status",
        """
        select p.episode, p.study, p.arm, p.protocol, p.version, p.options, p.subject, p.repeat,
               coalesce(s.status, 'open') as status, s.error_kind, s.error, p.started_at, s.ended_at
        from plays p left join (
            from statuses qualify row_number() over (partition by episode order by ended_at desc) = 1) s using (episode)
        """,
        {
            "repeat": "0 for the first play; NULL for imported debates",
            "started_at": "UTC; for imports from the file's name, its zone unknown",
            "status": "done, failed, or open: started and not ended",
            "error_kind": "class of the error of a failed episode",
            "error": "the error in words",
            "ended_at": "UTC; NULL while open",
        },
    ),
    "calls": View(
        "One row is one attempt on the wire",
        """
        select * from call_ends union all by name
        select s.*, 'unknown' as status from call_starts s
        anti join call_ends using (episode, seat, step, ask, run, attempt)
        """,
        {
            "status": "ok, failed, cancelled, cached (taken from an earlier study, nothing was sent), or unknown: it went out and no outcome"
            " has been kept (in flight, or the process died)"
        },
    ),
    "saw": View(
        "One row is a turn that stood in another turn's prompt, with the face that was shown",
        """
        select episode, seat, step, part.episode as seen_episode, part.seat as seen_seat, part.step as seen_step, part.face as face
        from (select episode, seat, step, unnest(prompt) as part from turns) where part.face is not null
        union all
        select episode, seat, step, part.episode, part.seat, part.step, part.face
        from (select episode, seat, step, unnest(prefill) as part from turns where prefill is not null) where part.face is not null
        """,
        {"face": FACES},
    ),
    "verdicts": View(
        "One row is one judge's word on one debate, in one seat order and repeat; a judging that failed has a row too, without a winner",
        """
        select r.* from rulings r join episodes e on e.episode = r.episode and e.status = 'done'
        union all by name
        select e.episode, d.source as debate, s.agent as judge, coalesce(e.options->>'order', 'as played') as seat_order, e.repeat,
               'failed: ' || e.error_kind as status
        from episodes e join subjects d on d.subject = e.subject and d.kind = 'debate'
        join seats s on s.episode = e.episode and s.seat = 'judge' where e.status = 'failed'
        """,
        {"repeat": "0 for the judge's first reading", "status": "read, or why not, or what is doubtful"},
    ),
    "who_saw_what": View(
        "One row is a turn that a reader was shown: who read, when, whose turn, which face",
        f"""
        select e.study, t.episode, t.round, t.phase, t.seat as reader, t.step, a.seat as author, a.round as author_round,
               a.phase as author_phase, s.seen_step as author_step, s.face
        from saw s join turns t using (episode, seat, step) {DONE}
        join turns a on a.episode = s.seen_episode and a.seat = s.seen_seat and a.step = s.seen_step
        """,
        {"face": FACES},
    ),
    "confidence_by_round": View(
        "Stated confidence of debaters by study, arm and phase",
        f"""
        select e.study, e.arm, t.round, t.phase, count(t.confidence) as n, round(avg(t.confidence), 12) as mean,
               round(stddev_samp(t.confidence), 12) as sd,
               count(*) filter (t.confidence is null and t.confidence_status <> 'not asked') as missing
        from turns t {DONE} where t.seat in ('proposition', 'opposition') group by all order by all
        """,
        {"mean": "in [0, 1]", "sd": "sample standard deviation", "missing": "ratings that were asked for and could not be read"},
    ),
    "both_sides": View(
        "In how many debates both sides were sure of winning, by study, arm and phase",
        f"""
        with pairs as (
            select e.study, e.arm, t.episode, t.round, t.phase, min(t.confidence) as lower
            from turns t {DONE} where t.seat in ('proposition', 'opposition') group by all having count(t.confidence) = 2)
        select study, arm, round, phase, count(*) as debates, count(*) filter (lower >= 0.75) as at_least_75,
               count(*) filter (lower > 0.75) as above_75, count(*) filter (lower > 0.5) as above_50
        from pairs group by all order by all
        """,
        {
            "debates": "debates with a rating from both sides",
            "at_least_75": "both sides at 75% or more",
            "above_75": "both sides strictly above 75%",
            "above_50": "both sides strictly above 50%",
        },
    ),
    "outcomes": View(
        "One row is a judged debate: its votes, and the winner by majority and by the sum of the judges' confidences",
        """
        with votes as (
            select d.study, t.debate,
                   count(*) filter (t.winner = 'proposition') as votes_proposition,
                   count(*) filter (t.winner = 'opposition') as votes_opposition,
                   count(*) filter (t.winner = 'abstain') as abstained, count(*) filter (t.winner is null) as missing,
                   coalesce(sum(t.confidence) filter (t.winner = 'proposition'), 0) as sum_proposition,
                   coalesce(sum(t.confidence) filter (t.winner = 'opposition'), 0) as sum_opposition,
                   count(*) filter (t.winner in ('proposition', 'opposition') and t.confidence is null) as without_confidence
            from verdicts t join episodes d on d.episode = t.debate and d.status = 'done' group by all)
        select *,
               case when votes_proposition + votes_opposition = 0 then null when votes_proposition > votes_opposition then 'proposition'
                    when votes_proposition < votes_opposition then 'opposition' else 'tie' end as majority,
               case when votes_proposition + votes_opposition = 0 or without_confidence > 0 then null
                    when round(sum_proposition - sum_opposition, 9) > 0 then 'proposition'
                    when round(sum_proposition - sum_opposition, 9) < 0 then 'opposition' else 'tie' end as confidence_sum
        from votes
        """,
        {
            "study": "the study of the debate",
            "missing": "verdicts that could not be read, or failed",
            "majority": "winner by votes, or tie; NULL without a vote",
            "without_confidence": "votes whose confidence could not be read",
            "confidence_sum": "winner by the larger sum of confidences, or tie; NULL without a vote, or where a vote has no confidence",
        },
    ),
    "leaderboard": View(
        "Wins by model over judged debates, by the sum of the judges' confidences; a tie is half a win",
        """
        select o.study, s.model, count(*) as debates,
               sum(case o.confidence_sum when s.seat then 1 when 'tie' then 0.5 else 0 end) as wins, wins / count(*) as win_rate
        from outcomes o join seats s on s.episode = o.debate where o.confidence_sum is not null group by all order by o.study, win_rate desc
        """,
        {"wins": "a tie counts one half", "win_rate": "in [0, 1]"},
    ),
    "flips": View(
        "How often a judge changed the winner when the sides stood in the other order",
        """
        with pairs as (
            select t.judge, t.debate, t.repeat, count(distinct t.winner) as winners
            from verdicts t where t.winner in ('proposition', 'opposition')
            group by all having count(distinct t.seat_order) = 2)
        select judge, count(*) as pairs, count(*) filter (winners = 2) as flips, flips / count(*) as flip_rate
        from pairs group by all order by all
        """,
        {"pairs": "debates that the judge decided in both orders"},
    ),
    "cost": View(
        "Attempts, tokens and dollars by study, model, seat and phase, failed attempts included",
        """
        select e.study, s.model, c.seat, t.phase, count(*) as calls, count(*) filter (c.status = 'ok') as ok,
               count(*) filter (c.status = 'failed') as failed, count(*) filter (c.status = 'cancelled') as cancelled,
               count(*) filter (c.status = 'unknown') as unknown, count(*) filter (c.status = 'cached') as cached,
               sum(c.tokens_in) as tokens_in, sum(c.tokens_cached) as tokens_cached, sum(c.tokens_out) as tokens_out,
               sum(c.tokens_reasoning) as tokens_reasoning, sum(c.cost_usd) as cost_usd,
               count(*) filter (c.cost_usd is null) as calls_of_unknown_cost, sum(coalesce(c.cost_usd, c.worst_usd)) as at_most_usd
        from calls c left join episodes e using (episode) left join seats s using (episode, seat)
        left join (select episode, seat, step, phase from turns union all select episode, seat, step, phase from unfinished_turns
                   anti join turns using (episode, seat, step)) t using (episode, seat, step)
        group by all order by all
        """,
        {
            "cost_usd": "NULL where no call has a known cost; calls_of_unknown_cost are not in the sum",
            "at_most_usd": "the same with calls of unknown cost at their worst case, as far as that is known",
        },
    ),
    "missing": View(
        "What is not there, and why: episodes not finished, and values that are NULL in finished ones",
        f"""
        select study, arm, 'episode' as what, null as phase,
               case status when 'open' then 'open' else 'failed: ' || error_kind end as reason, count(*) as n
        from episodes where status <> 'done' group by all
        union all
        select study, null, 'episode', null, 'not started', planned - coalesce(n, 0)
        from (select study, arg_max(planned, started_at) as planned from runs group by study)
        left join (select study, count(*) as n from episodes group by study) using (study) where planned > coalesce(n, 0)
        union all
        select e.study, e.arm, 'confidence', t.phase, t.confidence_status, count(*) from turns t {DONE}
        where t.confidence is null and t.confidence_status <> 'not asked' group by all
        union all
        select e.study, e.arm, 'speech', t.phase, 'no readable speech', count(*) from turns t {DONE} where t.public is null group by all
        union all
        select e.study, e.arm, 'winner', null, t.status, count(*) from verdicts t {DONE} where t.winner is null group by all
        union all
        select e.study, e.arm, 'answer', null, coalesce(t.status, 'no answer'), count(*) from answers t {DONE}
        where t.correct is null group by all
        order by all
        """,
        {"what": "episode, confidence, speech, winner or answer", "reason": "why it is missing", "n": "how many"},
    ),
    "accuracy": View(
        "Share of right answers, with and without those that could not be read",
        f"""
        select e.study, e.arm, e.protocol, count(*) as questions, count(*) filter (t.correct) as correct,
               count(*) filter (t.correct is null) as unreadable,
               count(*) filter (t.correct) / count(*) as accuracy, avg(t.correct::integer) as accuracy_of_readable
        from answers t {DONE} where t.final group by all order by all
        """,
        {"accuracy": "unreadable answers count as not correct", "accuracy_of_readable": "unreadable answers left out"},
    ),
}
