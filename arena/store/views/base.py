"""The parts that views are made of, and the views of the record: studies, episodes, calls, turns.

A view is a question that users ask, as SQL over the tables of schema.py.  `studies`,
`all_episodes`, `calls`, `saw` and `cost` show everything.  `episodes` leaves out the leftovers of
earlier plans, and so does every view that reads it; `completeness` and `missing` show all of these,
all other views the finished ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field

# Comments on columns of views, wherever the view has none of its own.  A column that stands neither
# there nor here takes the comment of the tables' column of its name.
SHARED_COMMENTS = {
    "abstained": "verdicts that name no side",
    "against_itself": "whether both sides are the same contestant: model, system prompt and"
    " sampling",
    "author_step": "the author's step",
    "calls": "attempts, failed and cached ones included",
    "calls_of_unknown_cost": "attempts that may have cost something that cost_usd does not hold",
    "contestant": "who sat there: its agent's name, with what differs where several agents of the"
    " study share the name (see the view agents)",
    "day": "the day on which the debate began, UTC; for imports from the file's name",
    "debates": "debates with a rating from both sides",
    "face": "public; checked: public with its quotes marked as verified or not; own: with private"
    " thoughts and rating; notes: these alone; rated: public text and rating;"
    " verbatim: the raw reply, as a prefill or in a chat; reask_prompt, reask_text: what it was"
    " asked again and its raw second reply, in an aside; image; passage: that of its subject",
    "failed": "attempts that failed",
    "leftover": "whether its study's last plan does not hold it: other models, motions, options or"
    " repeats; no view of results counts it",
    "label": "the phase as reports call it: one that comes several times in an arm has its number"
    " or its round behind it",
    "mean": "mean rating, in [0, 1]",
    "missing": "ratings that were asked for and could not be read",
    "models": "the models that sat in the play, each once, by name",
    "motion": "the motion's words",
    "n": "ratings",
    "opponent_after": "the other side's first rating after it heard the speech; NULL: none",
    "opponent_before": "the other side's last rating before it heard the speech; NULL: none",
    "opponent_change": "opponent_after minus opponent_before",
    "opponent_contestant": "the contestant on the other side",
    "opponent_model": "the other side's model",
    "opposition_contestant": "the contestant on the opposition's side",
    "opposition_model": "the model of the opposition",
    "played_here": "whether a request is on record; false for imports",
    "proposition_contestant": "the contestant on the proposition's side",
    "proposition_model": "the model of the proposition",
    "reason": "why it is missing; NULL: it is not",
    "repeat": "0 for the first play or reading; NULL for imported debates",
    "result": "1 where the side won by the majority of votes, 0 where it lost, 0.5 for a tie; NULL:"
    " not decided",
    "result_by_confidence_sum": "the same by the larger sum of the votes' confidences; NULL also"
    " where a vote for a side has no confidence",
    "same": "pairs that name the same winner",
    "sd": "sample standard deviation",
    "sequential": "whether the opposition hears the proposition's speech of the same round",
    "setting": "system prompt (a hash of it) and sampling in words; default: neither is set",
    "ties": "of these, decided for nobody",
    "unknown": "attempts that went out, and no outcome has been kept",
    "what": "episode, confidence, speech, winner, answer, or vote (an answer where none is right)",
    "win_rate": "share of them whose side won, by the majority of votes",
    "words": "words between blanks in what others may read; NULL: no readable speech",
}
# With this variable of DuckDB set on a connection, `episodes` has the leftovers too.
WITH_LEFTOVERS = "with_leftovers"
# Without leftovers, as in most stores, joins with them find an empty table, and cost nothing.
LEFT_OUT = """
    select episode from plan_changes
    group by episode having not arg_max(planned, changed_at)
"""
EPISODES = """
    select p.episode, p.study, p.arm, p.protocol, p.version, p.options, p.subject, p.repeat,
           coalesce(s.status, 'open') as status, s.error_kind, s.error, p.started_at, s.ended_at,
           p.parent, p.parent_seat, p.parent_step, p.change
    from plays p left join (
        select episode, arg_max(status, ended_at) as status,
               arg_max_null(error_kind, ended_at) as error_kind,
               arg_max_null(error, ended_at) as error, max(ended_at) as ended_at
        from statuses group by episode) s using (episode)
"""
EPISODE_COMMENTS = {
    "started_at": "UTC; for imports from the file's name, its zone unknown",
    "status": "done, failed, or open: started and not ended",
    "ended_at": "UTC; NULL while open",
}
DONE = "join episodes e on e.episode = t.episode and e.status = 'done'"
KNOWN_DONE = DONE.replace("episodes", "known")


@dataclass(frozen=True, slots=True)
class View:
    """One view: its comment, its SQL, and comments for the columns that need one of their own.

    With `parameters`, {name: comment}, it is a table macro: `from name(...)`.  `question` is what
    it answers, in the words of researchers; views without one are parts of others.
    """

    comment: str
    sql: str
    columns: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    question: str = ""


# Each view reads only tables and earlier views, here and in the modules beside this one.
RECORD_VIEWS: dict[str, View] = {
    "studies": View(
        "One row is a study, out of its runs",
        """
        select study, min(started_at) as created_at,
               first(git_commit order by started_at) as git_commit,
               first(versions order by started_at) as versions, bool_or(simulated) as simulated,
               string_agg(distinct origin, '; ' order by origin) as origin
        from runs group by study order by created_at, study
        """,
        {
            "study": "the study's name",
            "created_at": "UTC, start of the first run, or the import",
            "simulated": "whether simulated or scripted models spoke in any run of it",
        },
    ),
    "left_out": View(
        "One row is an episode that the view episodes leaves out: a leftover of an earlier plan",
        f"{LEFT_OUT} and not coalesce(getvariable('{WITH_LEFTOVERS}'), false)",
    ),
    "all_episodes": View(
        "One row is one play of a protocol, with its latest status, also if its study's last plan"
        " does not hold it",
        f"select e.*, l.episode is not null as leftover from ({EPISODES}) e"
        f" left join ({LEFT_OUT}) l using (episode)",
        EPISODE_COMMENTS,
    ),
    "episodes": View(
        "One row is one play of a protocol, with its latest status; leftovers of an earlier plan"
        " are in all_episodes alone",
        f"{EPISODES} anti join left_out using (episode)",
        EPISODE_COMMENTS,
    ),
    "leftovers": View(
        "One row is an episode that its study's last plan does not hold",
        "select * exclude (leftover) from all_episodes where leftover",
        EPISODE_COMMENTS,
    ),
    # A call without an end is in flight, or its process died: it may have cost something.
    "calls": View(
        "One row is one attempt on the wire",
        """
        select * from call_ends union all by name
        select s.*, 'unknown' as status from call_starts s
        anti join call_ends using (episode, seat, step, ask, run, attempt)
        """,
        {
            "status": "ok, failed, cancelled, cached (taken from an earlier study, nothing was"
            " sent), or unknown: it went out and no outcome has been kept (in flight, or the"
            " process died)"
        },
    ),
    "batches": View(
        "One row is a batch of calls, with the state in which it was found last",
        """
        with latest as (
            select batch, arg_max(state, seen_at) as state, max(provider_id) as provider_id,
                   arg_max(succeeded, seen_at) as succeeded,
                   arg_max(failed, seen_at) as failed,
                   arg_max(error, seen_at) as error, max(seen_at) as seen_at
            from batch_states group by batch),
        bills as (
            select batch, count(*) filter (status = 'unknown') as unread,
                   sum(cost_usd) as cost_usd,
                   sum(worst_usd) filter (cost_usd is null) as worst_usd
            from calls where batch is not null group by batch)
        select p.batch, p.study, p.model, l.provider_id, coalesce(l.state, 'planned') as state,
               p.lines, l.succeeded, l.failed, coalesce(b.unread, 0) as unread, p.planned_at,
               l.seen_at, b.cost_usd, b.worst_usd, l.error
        from batch_plans p left join latest l using (batch) left join bills b using (batch)
        order by p.planned_at, p.batch
        """,
        {
            "state": "in the provider's words, at seen_at; planned: no id of it is known yet; never"
            " created; forgotten: on request",
            "unread": "calls of it whose outcome has not been taken into the record",
            "seen_at": "UTC, when the provider was asked last; NULL: never",
            "cost_usd": "dollars of its calls so far; NULL: none is known",
            "worst_usd": "dollars that the calls without a known cost can cost at most",
            "provider_id": "the provider's id of it; NULL: none is known",
        },
    ),
    # A system prompt is the same in every call of its seat and holds no turn; it is listed so that
    # all that a model read, beside the words of the protocol, stands in one place.
    "saw": View(
        "One row is something that a model read when it spoke: a turn in its prompt with the face"
        " that was shown, an image, the passage of its subject, its own reply before a re-ask, or"
        " its system prompt",
        """
        select episode, seat, step, part.episode as seen_episode, part.seat as seen_seat,
               part.step as seen_step, part.face as face, null as image
        from (select episode, seat, step, unnest(prompt) as part from turns)
        where part.face <> 'image'
        union all
        select episode, seat, step, null, null, null, 'image', unnest(images)
        from turns where images is not null
        union all
        select episode, seat, step, part.episode, part.seat, part.step, part.face, null
        from (select episode, seat, step, unnest(prefill) as part from turns
              where prefill is not null)
        where part.face is not null
        union all
        select episode, seat, step, episode, seat, step, 'verbatim', null from turns
        where reask_prompt is not null
        union all
        select t.episode, t.seat, t.step, t.episode, t.seat, null, 'system', null
        from turns t join seats s using (episode, seat)
        where s.system <> '' and t.request_hash is not null
        """,
        {
            "seen_episode": "the play of what was shown",
            "seen_seat": "whose turn, or whose system prompt, was shown",
            "seen_step": "its author's step; the reader's own step: its first reply, before the"
            " re-ask (turns.reask_prompt); NULL: a system prompt (seats.system), an image or a"
            " passage",
            "face": "public; checked: public with its quotes marked as verified or not; own: with"
            " private thoughts and rating; notes: these alone; rated: public text and rating;"
            " verbatim: the raw reply, as a prefill, as a message of its"
            " author in a chat, or before a re-ask; reask_prompt, reask_text: what it was asked"
            " again and its raw second reply, in an aside; image; passage: that of its subject"
            " (subjects.passage); system: a system prompt",
            "image": "the hash of an image (see the table images); NULL: it is none",
        },
    ),
    "verdicts": View(
        "One row is one judge's word on one debate, in one seat order and repeat; a judging that"
        " failed has a row too, without a winner",
        """
        select r.* from latest_rulings r
        join episodes e on e.episode = r.episode and e.status = 'done'
        anti join left_out l on l.episode = r.debate
        union all by name
        select e.episode, d.source as debate, s.agent as judge,
               coalesce(e.options->>'order', 'as played') as seat_order, e.repeat,
               'failed: ' || e.error_kind as status
        from episodes e join subjects d on d.subject = e.subject and d.kind = 'debate'
        join seats s on s.episode = e.episode and s.seat = 'judge'
        anti join left_out l on l.episode = d.source where e.status = 'failed'
        """,
        {
            "status": "read, or why not, or what is doubtful",
        },
    ),
    "who_saw_what": View(
        "One row is a turn that a reader was shown: who read, when, whose turn, which face; its own"
        " reply before a re-ask and its system prompt stand in `saw` alone",
        f"""
        select e.study, t.episode, t.round, t.phase, t.seat as reader, t.step, a.seat as author,
               a.round as author_round, a.phase as author_phase, s.seen_step as author_step, s.face
        from saw s join turns t using (episode, seat, step) {DONE}
        join turns a on a.episode = s.seen_episode and a.seat = s.seen_seat and a.step = s.seen_step
        where not (s.seen_episode = s.episode and s.seen_seat = s.seat and s.seen_step = s.step)
        """,
        {
            "reader": "the seat that was asked",
            "author": "the seat whose turn it was shown",
            "author_round": "position of the author's phase, from 0",
            "author_phase": "the phase in which the author spoke",
        },
    ),
    "cost": View(
        "Attempts, tokens and dollars by study, model, seat and phase, failed attempts included",
        """
        with phases as (
            select episode, seat, step, phase from turns
            union all select episode, seat, step, phase from unfinished_turns
            anti join turns using (episode, seat, step))
        select e.study, s.model, c.seat, t.phase, count(*) as calls,
               count(*) filter (c.status = 'ok') as ok,
               count(*) filter (c.status = 'failed') as failed,
               count(*) filter (c.status = 'cancelled') as cancelled,
               count(*) filter (c.status = 'unknown') as unknown,
               count(*) filter (c.status = 'cached') as cached, sum(c.tokens_in) as tokens_in,
               sum(c.tokens_cached) as tokens_cached,
               sum(c.tokens_cache_written) as tokens_cache_written,
               sum(c.tokens_out) as tokens_out,
               sum(c.tokens_reasoning) as tokens_reasoning, sum(c.cost_usd) as cost_usd,
               sum(c.cache_saved_usd) as cache_saved_usd,
               count(*) filter (c.cost_usd is null) as calls_of_unknown_cost,
               sum(coalesce(c.cost_usd, c.worst_usd)) as at_most_usd
        from calls c left join all_episodes e using (episode)
        left join seats s using (episode, seat)
        left join phases t using (episode, seat, step) group by all order by all
        """,
        {
            "calls": "attempts on the wire, and cached replies",
            "ok": "attempts that were answered",
            "cancelled": "attempts that were stopped",
            "cached": "replies taken from an earlier study, nothing was sent",
            "cost_usd": "NULL where no call has a known cost; calls_of_unknown_cost are not in the"
            " sum",
            "at_most_usd": "the same with calls of unknown cost at their worst case, as far as that"
            " is known",
        },
    ),
    "prompt_caches": View(
        "One row is what a model's prompts in a study met in its provider's cache, failed attempts"
        " included",
        """
        select e.study, s.model, count(*) as calls, sum(c.tokens_in) as tokens_in,
               sum(c.tokens_cached) as tokens_cached,
               sum(c.tokens_cache_written) as tokens_cache_written,
               sum(c.tokens_cached) / sum(c.tokens_in) as share_cached,
               sum(c.cache_saved_usd) as cache_saved_usd
        from calls c join all_episodes e using (episode) join seats s using (episode, seat)
        where c.tokens_in is not null and c.tokens_cached is not null
        group by all order by all
        """,
        {
            "calls": "attempts of which the provider counted both",
            "share_cached": "share of prompt tokens that the cache served, in [0, 1]",
        },
        question="What share of the prompts did the provider's cache serve, and what did it save?",
    ),
    # What a protocol does not claim, it cannot miss: elsewhere its answers are votes or opinions.
    "gradable": View(
        "One row is an episode whose answers are right or wrong: its question has a right answer,"
        " or the study or the protocol graded them itself",
        """
        select p.episode from plays p left join subjects s using (subject)
        where trim(s.gold) <> '' or p.grader is not null
        union
        select episode from latest_answers where correct is not null
        """,
    ),
    # A row for each value, there or not: counts of missing values mean little without the number of
    # those there should be.
    "completeness": View(
        "One row is something that a study should have: an episode, and in finished ones a"
        " confidence, speech, winner, answer or vote; and whether it is missing",
        f"""
        with known as materialized (
            select study, arm, episode, subject, status, error_kind from episodes),
        unknown as (
            select distinct episode, seat, confidence_status as said from latest_turns
            where confidence_status = 'does not know')
        select study, arm, episode, subject, 'episode' as what, null as phase,
               status <> 'done' as missing,
               case status when 'done' then null when 'open' then 'open'
                    else 'failed: ' || error_kind end as reason
        from known
        union all
        select study, null, null, null, 'episode', null, true, 'not started'
        from (select study, arg_max(planned, started_at) as planned from runs group by study)
        left join (select study, count(*) as n from known group by study) using (study),
             range(planned - coalesce(n, 0))
        union all
        select e.study, e.arm, e.episode, e.subject, 'confidence', t.phase, t.confidence is null,
               case when t.confidence is null then t.confidence_status end
        from latest_turns t {KNOWN_DONE} where t.confidence_status <> 'not asked'
        union all
        select e.study, e.arm, e.episode, e.subject, 'speech', t.phase,
               coalesce(t.public_status <> 'read', false), nullif(t.public_status, 'read')
        from latest_turns t {KNOWN_DONE}
        union all
        select e.study, e.arm, e.episode, e.subject, 'winner', null, t.winner is null,
               case when t.winner is null then t.status end
        from verdicts t {KNOWN_DONE}
        union all
        select e.study, e.arm, e.episode, e.subject, 'answer', null, t.correct is null,
               case when t.correct is null then coalesce(u.said, t.status, 'no answer') end
        from latest_answers t {KNOWN_DONE} semi join gradable g on g.episode = t.episode
        left join unknown u on u.episode = t.episode and u.seat = t.seat and t.answer is null
        union all
        select e.study, e.arm, e.episode, e.subject,
               case when t.final then 'answer' else 'vote' end, null, t.answer is null,
               case when t.answer is null then coalesce(t.status, 'no answer') end
        from latest_answers t {KNOWN_DONE} anti join gradable g on g.episode = t.episode
        -- Of a play with votes the final answer is their result, which a tie leaves open.
        where not t.final or t.episode not in (
            select episode from latest_answers where not final)
        """,
        {
            "episode": "the play; NULL: not started",
            "missing": "whether it is missing",
        },
    ),
    "missing": View(
        "What is not there, and why: episodes not finished, and values that are NULL in finished"
        " ones",
        """
        select study, arm, what, phase, reason, count(*) as n from completeness where missing
        group by study, arm, what, phase, reason order by all
        """,
        {
            "n": "how many",
        },
    ),
}
