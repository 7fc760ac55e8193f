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
    """One view: its comment, its SQL, and comments for the columns that need one.

    With `parameters`, {name: comment}, it is a table macro: `from name(...)`.
    """

    comment: str
    sql: str
    columns: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CannedQuery:
    """A question that researchers ask, in words, and the view that answers it."""

    question: str
    view: View


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
            select episode, arg_max(status, ended_at) as status, arg_max_null(error_kind, ended_at) as error_kind,
                   arg_max_null(error, ended_at) as error, max(ended_at) as ended_at
            from statuses group by episode) s using (episode)
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
        {
            "seen_episode": "the play of the turn that was shown",
            "seen_seat": "whose turn was shown",
            "seen_step": "its author's step",
            "face": FACES,
        },
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
        {
            "repeat": "0 for the judge's first reading",
            "status": "read, or why not, or what is doubtful",
        },
    ),
    "who_saw_what": View(
        "One row is a turn that a reader was shown: who read, when, whose turn, which face",
        f"""
        select e.study, t.episode, t.round, t.phase, t.seat as reader, t.step, a.seat as author, a.round as author_round,
               a.phase as author_phase, s.seen_step as author_step, s.face
        from saw s join turns t using (episode, seat, step) {DONE}
        join turns a on a.episode = s.seen_episode and a.seat = s.seen_seat and a.step = s.seen_step
        """,
        {
            "reader": "the seat that was asked",
            "author": "the seat whose turn it was shown",
            "author_round": "position of the author's phase, from 0",
            "author_phase": "the phase in which the author spoke",
            "author_step": "the author's step",
            "face": FACES,
        },
    ),
    "confidence_by_round": View(
        "Stated confidence of debaters by study, arm and phase",
        f"""
        select e.study, e.arm, t.round, t.phase, count(t.confidence) as n, round(avg(t.confidence), 12) as mean,
               round(stddev_samp(t.confidence), 12) as sd,
               count(*) filter (t.confidence is null and t.confidence_status <> 'not asked') as missing
        from turns t {DONE} where t.seat in ('proposition', 'opposition') group by all order by all
        """,
        {
            "n": "ratings",
            "mean": "in [0, 1]",
            "sd": "sample standard deviation",
            "missing": "ratings that were asked for and could not be read",
        },
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
            "votes_proposition": "votes for the proposition",
            "votes_opposition": "votes for the opposition",
            "abstained": "verdicts that name no side",
            "sum_proposition": "sum of the confidences of the votes for the proposition",
            "sum_opposition": "sum of the confidences of the votes for the opposition",
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
        {
            "debates": "judged debates in which it sat",
            "wins": "a tie counts one half",
            "win_rate": "in [0, 1]",
        },
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
        {
            "pairs": "debates that the judge decided in both orders",
            "flips": "of these, with another winner in the other order",
            "flip_rate": "flips over pairs",
        },
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
            "calls": "attempts on the wire, and cached replies",
            "ok": "attempts that were answered",
            "failed": "attempts that failed",
            "cancelled": "attempts that were stopped",
            "unknown": "attempts that went out, and no outcome has been kept",
            "cached": "replies taken from an earlier study, nothing was sent",
            "cost_usd": "NULL where no call has a known cost; calls_of_unknown_cost are not in the sum",
            "calls_of_unknown_cost": "attempts that may have cost something that cost_usd does not hold",
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
        select e.study, e.arm, 'speech', t.phase, t.public_status, count(*) from turns t {DONE} where t.public_status <> 'read' group by all
        union all
        select e.study, e.arm, 'winner', null, t.status, count(*) from verdicts t {DONE} where t.winner is null group by all
        union all
        select e.study, e.arm, 'answer', null, coalesce(t.status, 'no answer'), count(*) from answers t {DONE}
        where t.correct is null group by all
        order by all
        """,
        {
            "what": "episode, confidence, speech, winner or answer",
            "reason": "why it is missing",
            "n": "how many",
        },
    ),
    "question_plays": View(
        "One row is a finished play of a question: its final answer, what it took, and how much was routed between paths",
        """
        with taken as (
            select c.episode, c.status,
                   case when c.status = 'cached' then o.tokens_in else c.tokens_in end as tokens_in,
                   case when c.status = 'cached' then o.tokens_out else c.tokens_out end as tokens_out,
                   case when c.status = 'cached' then o.cost_usd else c.cost_usd end as cost_usd
            from calls c left join (
                from call_ends where status = 'ok' qualify row_number() over (partition by episode, seat, step, ask order by started_at) = 1) o
            on c.status = 'cached' and o.episode = c.cached_from and o.seat = c.seat and o.step = c.step and o.ask = c.ask),
        spent as (
            select episode, count(*) as calls, count(*) filter (status in ('ok', 'cached')) as answered,
                   case when count(*) filter (status in ('ok', 'cached') and tokens_in is null) = 0 then sum(tokens_in) end as tokens_in,
                   case when count(*) filter (status in ('ok', 'cached') and tokens_out is null) = 0 then sum(tokens_out) end as tokens_out,
                   case when count(*) filter (status in ('ok', 'cached') and cost_usd is null) = 0 then sum(cost_usd) end as cost_usd,
                   count(*) filter (cost_usd is null) as calls_of_unknown_cost
            from taken group by episode),
        given as (
            select episode, count(*) filter (path) as paths, count(*) filter (path and correct) as paths_correct,
                   count(*) filter (path and correct is null) as paths_unreadable
            from (select *, not final and stage = max(case when not final then stage end) over (partition by episode, seat) as path
                  from answers) group by episode),
        seated as (select episode, string_agg(distinct model, ', ' order by model) as models from seats group by episode),
        sent as (select episode, count(*) as routes, string_agg(distinct router, ', ' order by router) as routers from routes group by episode)
        select e.study, e.arm, e.protocol, s.models, e.subject, e.repeat, e.episode, f.answer, f.canonical, f.correct, f.confidence,
               case when f.episode is null then 'no final answer' when f.correct is null then coalesce(f.status, 'no answer')
                    else coalesce(f.status, 'graded') end as status,
               g.paths, g.paths_correct, g.paths_unreadable, coalesce(r.routes, 0) as routes, r.routers,
               coalesce(c.calls, 0) as calls, coalesce(c.answered, 0) as answered, c.tokens_in, c.tokens_out, c.cost_usd,
               coalesce(c.calls_of_unknown_cost, 0) as calls_of_unknown_cost
        from episodes e join given g using (episode)
        left join (from answers where final) f using (episode) left join seated s using (episode) left join spent c using (episode)
        left join sent r using (episode) where e.status = 'done' and coalesce(f.status, '') <> 'no gold answer'
        """,
        {
            "models": "the models that sat in it, each once, by name",
            "answer": "the final answer; NULL: unreadable, or there is none",
            "canonical": "the final answer's value, by which votes are counted",
            "correct": "whether the final answer is right; NULL: cannot be told, see status",
            "status": "graded, no final answer, or why correct is NULL",
            "paths": "paths, each with its last answer that is not final",
            "paths_correct": "paths whose last answer is right",
            "paths_unreadable": "paths of whose last answer it cannot be told",
            "routes": "summaries that were shown to a peer",
            "routers": "who was routed to whom by which rule; NULL where nothing was routed",
            "calls": "attempts, failed and cached ones included",
            "answered": "calls with a reply: sent, or cached",
            "tokens_in": "prompt tokens, of failed attempts as far as known; NULL where a reply's are unknown; a cached reply counts as when it"
            " was asked for",
            "tokens_out": "generated tokens, reasoning included; otherwise as tokens_in",
            "cost_usd": "dollars, otherwise as tokens_in: a cached reply counts what it cost when it was asked for",
            "calls_of_unknown_cost": "attempts that may have cost something that cost_usd does not hold",
        },
    ),
    "paths": View(
        "One row is a path's answer, one that is not final, in a finished play of a question, beside the play's final answer",
        """
        select q.study, q.arm, q.protocol, q.models, q.subject, q.repeat, t.episode, t.seat, t.stage,
               t.stage = max(t.stage) over (partition by t.episode, t.seat) as last, t.answer, t.canonical, t.correct, t.confidence,
               coalesce(t.status, case when t.correct is null then 'no answer' else 'graded' end) as status,
               q.answer as final_answer, q.correct as final_correct, t.canonical = q.canonical as agrees
        from answers t join question_plays q using (episode) where not t.final
        """,
        {
            "models": "the models that sat in the play, each once, by name",
            "last": "whether it is the seat's last path answer in the play",
            "correct": "whether it is right; NULL: cannot be told, see status",
            "final_answer": "the play's final answer; NULL: unreadable, or there is none",
            "final_correct": "whether that is right; NULL: cannot be told",
            "agrees": "whether both have the same value; NULL where one has none",
        },
    ),
    "accuracy": View(
        "Share of right final answers by arm and models, with and without those that could not be read, and what a play of a question took",
        """
        select study, arm, protocol, models, count(distinct subject) as questions, count(*) as episodes,
               count(*) filter (correct) as correct, count(*) filter (correct is null) as unreadable,
               count(*) filter (correct) / count(*) as accuracy, avg(correct::integer) as accuracy_of_readable,
               round(avg(paths_correct / nullif(paths, 0)), 12) as accuracy_of_paths,
               round(avg(calls), 12) as calls_per_question, round(avg(tokens_in), 12) as tokens_in_per_question,
               round(avg(tokens_out), 12) as tokens_out_per_question,
               round(avg(cost_usd), 12) as cost_usd_per_question, round(avg(routes), 12) as routes_per_question,
               count(*) filter (tokens_in is null or tokens_out is null) as episodes_of_unknown_tokens,
               count(*) filter (cost_usd is null) as episodes_of_unknown_cost
        from question_plays group by all order by all
        """,
        {
            "models": "the models that sat in it, each once, by name",
            "questions": "different questions",
            "episodes": "finished plays of them, repeats included",
            "correct": "plays whose final answer is right",
            "unreadable": "plays whose final answer cannot be told right or wrong, or that have none",
            "accuracy": "unreadable answers count as not correct",
            "accuracy_of_readable": "unreadable answers left out",
            "accuracy_of_paths": "mean over plays of the share of paths whose last answer is right, unreadable ones not; NULL without paths",
            "calls_per_question": "mean over plays of attempts, failed and cached ones included",
            "tokens_in_per_question": "mean over plays whose prompt tokens are known; a cached reply counts as when it was asked for",
            "tokens_out_per_question": "mean over plays whose generated tokens are known; reasoning included, cached as when asked for",
            "cost_usd_per_question": "mean dollars over plays whose cost is known; cached as when asked for; NULL: unknown, not zero",
            "routes_per_question": "mean over plays of summaries that were shown to a peer",
            "episodes_of_unknown_tokens": "plays that the means of tokens leave out",
            "episodes_of_unknown_cost": "plays that the mean of dollars leaves out",
        },
    ),
}
