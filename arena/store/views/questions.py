"""Views of questions: the outcome of each play, path by path, and the accuracy of each arm."""

from __future__ import annotations

from arena.store.views.base import View

QUESTION_VIEWS: dict[str, View] = {
    "answer_stages": View(
        "One row is an answer, with whether it is the last one of a path",
        """
        select *, not final
               and stage = max(case when final then null else stage end) over same as path
        from latest_answers window same as (partition by episode, seat)
        """,
        {"path": "whether it is the seat's last answer in the play that is not final"},
    ),
    # A cached reply counts as when it was asked for: else a second study would look free.
    "question_plays": View(
        "One row is a finished play of a question: its final answer, what it took, and how much"
        " was routed between paths",
        """
        with taken as (
            select c.episode, c.status,
                   case when c.status = 'cached' then o.tokens_in else c.tokens_in end as tokens_in,
                   case when c.status = 'cached' then o.tokens_out else c.tokens_out end
                       as tokens_out,
                   case when c.status = 'cached' then o.cost_usd else c.cost_usd end as cost_usd
            from calls c left join (
                from call_ends where status = 'ok'
                qualify row_number() over (
                    partition by episode, seat, step, ask order by started_at) = 1) o
            on c.status = 'cached' and o.episode = c.cached_from and o.seat = c.seat
                and o.step = c.step and o.ask = c.ask),
        spent as (
            select episode, count(*) as calls,
                   count(*) filter (status in ('ok', 'cached')) as answered,
                   case when count(*) filter (status in ('ok', 'cached') and tokens_in is null) = 0
                       then sum(tokens_in) end as tokens_in,
                   case when count(*) filter (status in ('ok', 'cached') and tokens_out is null) = 0
                       then sum(tokens_out) end as tokens_out,
                   case when count(*) filter (status in ('ok', 'cached') and cost_usd is null) = 0
                       then sum(cost_usd) end as cost_usd,
                   count(*) filter (cost_usd is null) as calls_of_unknown_cost
            from taken group by episode),
        given as (
            select episode, count(*) filter (path) as paths,
                   count(*) filter (path and correct) as paths_correct,
                   count(*) filter (path and correct is null) as paths_unreadable
            from answer_stages group by episode),
        seated as (
            select episode, string_agg(distinct model, ', ' order by model) as models
            from seats group by episode),
        routed as (
            select episode, count(*) as routes,
                   string_agg(distinct router, ', ' order by router) as routers
            from routes group by episode),
        unknown as (
            select distinct episode, seat, confidence_status as said from latest_turns
            where confidence_status = 'does not know')
        select e.study, e.arm, e.protocol, s.models, e.subject, e.repeat, e.episode, f.answer,
               f.canonical, f.correct, f.confidence, f.confidence_source,
               case when f.episode is null then 'no final answer'
                    when f.correct is null then coalesce(u.said, f.status, 'no answer')
                    else coalesce(f.status, 'graded') end as status, g.paths, g.paths_correct,
               g.paths_unreadable, coalesce(r.routes, 0) as routes, r.routers,
               coalesce(c.calls, 0) as calls, coalesce(c.answered, 0) as answered, c.tokens_in,
               c.tokens_out, c.cost_usd,
               coalesce(c.calls_of_unknown_cost, 0) as calls_of_unknown_cost, f.reader_version
        from episodes e semi join gradable using (episode) join given g using (episode)
        left join (from latest_answers where final) f using (episode)
        left join unknown u on u.episode = f.episode and u.seat = f.seat and f.answer is null
        left join seated s using (episode)
        left join spent c using (episode) left join routed r using (episode)
        where e.status = 'done'
        """,
        {
            "answer": "the final answer; NULL: unreadable, or there is none",
            "correct": "whether the final answer is right; NULL: cannot be told, see status",
            "status": "graded, no final answer, or why correct is NULL",
            "paths": "paths, each with its last answer that is not final",
            "paths_correct": "paths whose last answer is right",
            "paths_unreadable": "paths of whose last answer it cannot be told",
            "routes": "summaries that were shown to a peer",
            "routers": "who was routed to whom by which rule; NULL where nothing was routed",
            "answered": "calls with a reply: sent, or cached",
            "tokens_in": "prompt tokens, of failed attempts as far as known; NULL where a reply's"
            " are unknown; a cached reply counts as when it"
            " was asked for",
            "tokens_out": "generated tokens, reasoning included; otherwise as tokens_in",
            "cost_usd": "dollars, otherwise as tokens_in: a cached reply counts what it cost when"
            " it was asked for",
        },
    ),
    "paths": View(
        "One row is a path's answer, one that is not final, in a finished play of a question,"
        " beside the play's final answer",
        """
        select q.study, q.arm, q.protocol, q.models, q.subject, q.repeat, t.episode, t.seat,
               t.stage, t.path as last, t.answer, t.canonical, t.correct, t.confidence,
               t.confidence_source,
               coalesce(t.status, case when t.correct is null then 'no answer' else 'graded' end)
                   as status, q.answer as final_answer, q.correct as final_correct,
               t.canonical = q.canonical as agrees, t.reader_version
        from answer_stages t join question_plays q using (episode) where not t.final
        """,
        {
            "last": "whether it is the seat's last path answer in the play",
            "final_answer": "the play's final answer; NULL: unreadable, or there is none",
            "final_correct": "whether that is right; NULL: cannot be told",
            "agrees": "whether both have the same value; NULL where one has none",
        },
    ),
    "accuracy": View(
        "Share of right final answers by arm and models, with and without those that could not be"
        " read, and what a play of a question took",
        """
        select study, arm, protocol, models, count(distinct subject) as questions,
               count(*) as episodes, count(*) filter (correct) as correct,
               count(*) filter (correct is null) as unreadable,
               count(*) filter (correct) / count(*) as accuracy,
               avg(correct::integer) as accuracy_of_readable,
               round(avg(paths_correct / nullif(paths, 0)), 12) as accuracy_of_paths,
               round(avg(calls), 12) as calls_per_question,
               round(avg(tokens_in), 12) as tokens_in_per_question,
               round(avg(tokens_out), 12) as tokens_out_per_question,
               round(avg(cost_usd), 12) as cost_usd_per_question,
               round(avg(routes), 12) as routes_per_question,
               count(*) filter (tokens_in is null or tokens_out is null)
                   as episodes_of_unknown_tokens,
               count(*) filter (cost_usd is null) as episodes_of_unknown_cost
        from question_plays group by all order by all
        """,
        {
            "questions": "different questions",
            "episodes": "finished plays of them, repeats included",
            "correct": "plays whose final answer is right",
            "unreadable": "plays whose final answer cannot be told right or wrong, or that have"
            " none",
            "accuracy": "unreadable answers count as not correct",
            "accuracy_of_readable": "unreadable answers left out",
            "accuracy_of_paths": "mean over plays of the share of paths whose last answer is"
            " right, unreadable ones not; NULL without paths",
            "calls_per_question": "mean over plays of attempts, failed and cached ones included",
            "tokens_in_per_question": "mean over plays whose prompt tokens are known; a cached"
            " reply counts as when it was asked for",
            "tokens_out_per_question": "mean over plays whose generated tokens are known;"
            " reasoning included, cached as when asked for",
            "cost_usd_per_question": "mean dollars over plays whose cost is known; cached as when"
            " asked for; NULL: unknown, not zero",
            "routes_per_question": "mean over plays of summaries that were shown to a peer",
            "episodes_of_unknown_tokens": "plays that the means of tokens leave out",
            "episodes_of_unknown_cost": "plays that the mean of dollars leaves out",
        },
    ),
}
