"""Canned queries about the record: attempts, time, tokens and dollars, and single episodes.

Imports keep no calls, times or prompts: these views are empty for them, not zero.
"""

from __future__ import annotations

from arena.store.views.base import DONE, View

WITH_CALLS = (
    "from calls c join episodes e on e.episode = c.episode and e.status = 'done'"
    " left join seats s on s.episode = c.episode and s.seat = c.seat"
)
# A sum that leaves out what is unknown would look like a small number of tokens.
KNOWN_TOKENS = (
    "case when count(*) filter (c.status = 'ok' and c.{0} is null) = 0"
    " then coalesce(sum(c.{0}), 0) end as {0}"
)
# Refused calls cost nothing: their zero says nothing about calls of unknown cost beside them.
KNOWN_USD = "if(count(*) = count(cost_usd), sum(cost_usd), nullif(sum(cost_usd), 0)) as cost_usd"

RECORD: dict[str, View] = {
    "cost_per_episode": View(
        "Calls, tokens and dollars of each finished episode and model, failed attempts included",
        f"""
        select e.study, e.arm, c.episode, s.model, count(*) as calls,
               {KNOWN_TOKENS.format("tokens_in")}, {KNOWN_TOKENS.format("tokens_out")},
               {KNOWN_TOKENS.format("cost_usd")},
               count(*) filter (c.cost_usd is null and c.status <> 'cached')
                   as calls_of_unknown_cost
        {WITH_CALLS} group by e.study, e.arm, c.episode, s.model order by all
        """,
        {
            "tokens_in": "prompt tokens, of failed attempts as far as known; NULL where a"
            " reply's are unknown",
            "tokens_out": "generated tokens, reasoning included; NULL where a reply's are unknown",
            "cost_usd": "dollars; NULL where a reply's price is unknown; a cached reply costs"
            " nothing again",
        },
        question="What did each debate or question take, in calls, tokens and dollars?",
    ),
    "served_models": View(
        "One row is a model and configuration by which a provider answered an agent in a study",
        """
        select p.study, s.agent, s.model, t.model_served, t.fingerprint, count(*) as turns,
               min(t.started_at) as first_at, max(t.started_at) as last_at
        from turns t join plays p using (episode) join seats s using (episode, seat)
        where t.model_served is not null
        group by p.study, s.agent, s.model, t.model_served, t.fingerprint
        order by p.study, s.agent, s.model, first_at, t.model_served, t.fingerprint
        """,
        {
            "turns": "turns that it answered, of unfinished episodes too",
            "first_at": "UTC, when the first of them was asked",
            "last_at": "UTC, when the last of them was asked",
        },
        question="Was an agent answered by one and the same model throughout?",
    ),
    "cost_by_arm": View(
        "Mean calls, tokens and dollars of a finished episode by study, arm and model",
        """
        select study, arm, model, count(*) as episodes, round(avg(calls), 12) as mean_calls,
               round(avg(tokens_in), 12) as mean_tokens_in,
               round(avg(tokens_out), 12) as mean_tokens_out,
               round(avg(cost_usd), 12) as mean_cost_usd, round(sum(cost_usd), 12) as cost_usd,
               count(*) filter (tokens_in is null or tokens_out is null) as of_unknown_tokens,
               count(*) filter (cost_usd is null) as of_unknown_cost
        from cost_per_episode group by study, arm, model order by study, arm, model
        """,
        {
            "episodes": "finished episodes in which the model was called",
            "mean_calls": "attempts per episode, failed and cached ones included",
            "mean_tokens_in": "prompt tokens per episode, over those where they are known",
            "mean_tokens_out": "generated tokens per episode, over those where they are known",
            "mean_cost_usd": "dollars per episode, over those where they are known; NULL:"
            " unknown, not zero",
            "cost_usd": "their sum",
            "of_unknown_tokens": "episodes that the means of tokens leave out",
            "of_unknown_cost": "episodes that the mean and sum of dollars leave out",
        },
        question="What does an episode take on average, by model and configuration?",
    ),
    "latency": View(
        "Seconds of calls that were answered, in finished episodes, by study, arm, model and phase",
        f"""
        select e.study, e.arm, s.model, t.phase, count(*) as calls,
               round(avg(c.latency_s), 12) as mean_s, quantile_cont(c.latency_s, 0.5) as median_s,
               quantile_cont(c.latency_s, 0.95) as p95_s, max(c.latency_s) as longest_s,
               round(avg(c.queued_s), 12) as mean_queued_s,
               round(sum(c.tokens_out) / nullif(sum(c.latency_s)
                   filter (c.tokens_out is not null), 0), 9) as tokens_per_s
        {WITH_CALLS} left join turns t on t.episode = c.episode and t.seat = c.seat
            and t.step = c.step
        where c.status = 'ok' and c.latency_s is not null
        group by e.study, e.arm, s.model, t.phase order by all
        """,
        {
            "calls": "answered calls whose time is known; cached ones are none",
            "mean_s": "mean seconds from sending to the whole reply",
            "median_s": "half of the calls were faster",
            "p95_s": "95% of the calls were faster",
            "longest_s": "the slowest call",
            "mean_queued_s": "mean seconds that a call waited for its turn before it was sent",
            "tokens_per_s": "generated tokens by seconds of the calls; NULL: tokens unknown",
        },
        question="How long does a call take?",
    ),
    "critical_path": View(
        "One row is a debate: its wall time, the turns that had to wait for each other, and"
        " all turns one after another",
        """
        with timed as (
            select d.study, d.arm, t.episode, t.round, t.started_at, t.ended_at, d.sequential,
                   epoch(t.ended_at) - epoch(t.started_at) as took
            from turns t join debates d using (episode)
            where t.seat in ('proposition', 'opposition')),
        rounds as (
            select study, arm, episode, round, count(*) as turns, count(took) as known,
                   min(started_at) as started_at, max(ended_at) as ended_at, sum(took) as all_s,
                   case when any_value(sequential) then sum(took) else max(took) end as path_s
            from timed group by study, arm, episode, round)
        select study, arm, episode, sum(turns) as turns,
               round(epoch(max(ended_at)) - epoch(min(started_at)), 6) as wall_s,
               round(sum(path_s), 6) as critical_path_s, round(sum(all_s), 6) as all_turns_s
        from rounds group by study, arm, episode having sum(known) = sum(turns)
        order by study, arm, episode
        """,
        {
            "turns": "speeches of both sides",
            "wall_s": "seconds from the first speech's beginning to the last one's end, breaks"
            " between runs included",
            "critical_path_s": "seconds of the slower side in each phase, summed; of all"
            " speeches where the sides speak in turn",
            "all_turns_s": "seconds of all speeches, as if one after another",
        },
        question="How long did each debate take, and how long must it take?",
    ),
    "attempts": View(
        "Turns with their attempts on the wire, in finished episodes, by study, arm, model and"
        " phase",
        f"""
        with tried as (
            select episode, seat, step, count(*) as attempts,
                   count(*) filter (status = 'failed') as failed,
                   count(*) filter (status = 'unknown') as unknown from calls
                   group by episode, seat, step)
        select e.study, e.arm, s.model, t.phase, count(*) as turns, sum(c.attempts) as calls,
               sum(c.failed) as failed, sum(c.unknown) as unknown,
               round(avg(c.attempts), 12) as attempts_per_turn, max(c.attempts) as most_attempts,
               count(*) filter (t.asks > 1) as asked_again,
               count(*) filter (t.public_status <> 'read') as no_speech,
               count(*) filter (t.confidence is null and t.confidence_status <> 'not asked')
                   as no_confidence
        from latest_turns t join tried c using (episode, seat, step) {DONE} left
        join seats s on s.episode = t.episode and s.seat = t.seat
        group by e.study, e.arm, s.model, t.phase order by all
        """,
        {
            "turns": "turns with a call on record",
            "calls": "attempts on the wire for them, cached replies included",
            "attempts_per_turn": "calls over turns",
            "most_attempts": "the most that one turn took",
            "asked_again": "turns of which something was unreadable and asked again",
            "no_speech": "turns whose speech stayed unreadable",
            "no_confidence": "turns whose confidence was asked for and stayed unreadable",
        },
        question="How many attempts did a turn take, and how often was something unreadable?",
    ),
    "reasked": View(
        "Ratings of debaters by study, arm and phase, and by whether the turn was had at once",
        """
        with tried as (select episode, seat, step, count(*) filter (status = 'failed') as failed
        from calls group by episode, seat, step)
        select s.study, s.arm, s.round, s.phase,
               case when asks > 1 then 'asked again' when failed > 0 then 'sent again'
                   else 'at once' end as how, count(*) as turns, count(confidence) as n,
               round(avg(confidence), 12) as mean, round(avg(change), 12) as mean_change
        from speeches s left join tried using (episode, seat, step) where played_here
        group by all order by all
        """,
        {
            "how": "asked again: something was unreadable; sent again: an attempt failed; at"
            " once: neither",
            "turns": "speeches",
            "n": "of these, with a rating",
            "mean_change": "mean of the rating minus the side's rating before; NULL in the"
            " first phase",
        },
        question="Does a speech that had to be asked for again come with another confidence?",
    ),
    "transcript": View(
        "The turns of a finished episode in order; its id may be cut short",
        """
        select t.episode, t.round, t.phase, t.seat, s.model, t.public, t.thoughts, t.confidence,
               t.confidence_status, t.answer, t.reader_version
        from latest_turns t join all_episodes e on e.episode = t.episode and e.status = 'done'
        left join seats s on s.episode = t.episode and s.seat = t.seat
        where starts_with(t.episode, id) order by t.episode, t.round, t.seat desc, t.step
        """,
        parameters={"id": "the episode's id, or the beginning of it"},
        question="What was said in this episode, in order, private words included?",
    ),
    "prompt_of": View(
        "The prompt of a turn in parts: text, a turn of somebody with the face that was shown, or"
        " the passage; nothing for imports",
        """
        with parts as (
            select t.roles, m.passage, unnest(t.prompt) as part,
                   generate_subscripts(t.prompt, 1) as place
            from turns t join all_episodes e on e.episode = t.episode and e.status = 'done'
            left join subjects m using (subject)
            where starts_with(t.episode, id) and t.seat = reader and t.step = reader_step)
        select p.place, p.part.seat as author, p.part.step as author_step, p.part.face as face,
               coalesce(p.part.text, case when p.part.face = 'passage' then p.passage
                   when p.part.face not in ('notes', 'reask_prompt', 'reask_text')
                   then a.public end) as words,
               coalesce(p.roles[p.place], 'user') as role
        from parts p left join turns a on a.episode = p.part.episode and a.seat = p.part.seat
            and a.step = p.part.step order by p.place
        """,
        {
            "place": "position in the prompt, from 1",
            "role": "whose message it is part of: user, or in a chat also assistant",
            "author": "the seat whose turn it is; NULL: text of the protocol, an image or a"
            " passage",
            "words": "the text, or the public words of the turn, with quotes as they were said, or"
            " the passage; NULL: its private notes, a re-ask, an image",
        },
        {
            "id": "the episode's id, or the beginning of it",
            "reader": "the seat that was asked",
            "reader_step": "its step, from 0",
        },
        question="What stood in the prompt of this turn, piece by piece?",
    ),
    "debates_of": View(
        "The finished debates of models whose reference holds these words",
        """
        select d.study, d.arm, d.episode, d.seat, d.model, d.opponent_model, m.text as motion,
               earliest as first, latest as last, d.result
        from debaters d join first_and_last r on r.episode = d.episode and r.seat = d.seat
        left join subjects m on m.subject = d.subject
        where contains(lower(d.model), lower(words_of_model))
        order by d.study, d.arm, d.episode, d.seat desc
        """,
        {
            "first": "its first rating that could be read, in [0, 1]",
            "last": "its last rating that could be read, in [0, 1]",
        },
        {"words_of_model": "a part of the model reference, in any case"},
        question="Which debates did this model sit in, how sure was it, and did it win?",
    ),
}
