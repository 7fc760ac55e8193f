"""Views of protocols with any seats: three debaters, a moderator, an audience that votes.

`seat_ratings` has every turn of every seat, as `ratings` (views/debates.py) has those of the two
sides of a debate.  What a play's own seats vote is in `ballots`; `votes` are those of judges, who
have episodes of their own.  Where nothing is right or wrong, since no answer is known or graded,
what a protocol returns as answers that are not final are ballots; so is the last answer of a turn
in a play that returns nothing.  No protocol declares who its rivals are: `candidates` are the seats
that some ballot of the arm names.
"""

from __future__ import annotations

from arena.store.views.base import View
from arena.store.views.debates import WORDS, with_labels

# A seat of many, audience3 or path10, without its number.
ROLE = "regexp_replace({seat}, '(.)[0-9]+$', '\\1')"

# Within these, phases of one name are one.
PHASES_OF = "study, arm, asked"
TURN_COLUMNS = {
    "seat": "who spoke: any seat, whatever its name",
    "role": "the seat's name without a number at its end: audience for audience3",
    "asked": "whether a rating was asked for",
    "missing": "whether a rating was asked for and could not be read",
    "flagged": "whether the turn carries a doubt in words",
}

SEAT_VIEWS: dict[str, View] = {
    # As with `rated_turns`: who reads no labels reads this, and reads no more turns than it needs.
    "seat_turns": View(
        "One row is a turn of any seat in a finished episode of any protocol: its rating, or why it"
        " has none, and who spoke how many words",
        f"""
        select e.study, e.arm, e.episode, e.protocol, e.subject, e.repeat, t.seat,
               {ROLE.format(seat="t.seat")} as role, s.contestant, s.model, t.step, t.round,
               t.phase, t.confidence, t.confidence_status, t.confidence_source,
               t.confidence_status <> 'not asked' as asked,
               asked and t.confidence is null as missing,
               coalesce(len(t.flags), 0) > 0 as flagged, t.rating_public, t.asks,
               {WORDS} as words, t.started_at, t.reader_version
        from latest_turns t join episodes e on e.episode = t.episode and e.status = 'done'
        left join contestants s on s.episode = t.episode and s.seat = t.seat
        """,
        TURN_COLUMNS,
    ),
    "seat_ratings": View(
        "One row is a turn of any seat, as in seat_turns, with the phase as reports call it",
        with_labels("from seat_turns", PHASES_OF),
        TURN_COLUMNS,
    ),
    "seat_confidence": View(
        "Ratings and words by study, arm, seat and phase, of any protocol",
        """
        select study, arm, role, round, phase, count(distinct episode) as episodes,
               count(distinct seat) as seats, count(*) as turns,
               round(avg(words), 12) as mean_words, count(confidence) as n,
               round(avg(confidence), 12) as mean, round(stddev_samp(confidence), 12) as sd,
               count(*) filter (missing) as missing
        from seat_turns group by study, arm, role, round, phase order by all
        """,
        {
            "role": "the seat's name without a number at its end: audience for audience3",
            "episodes": "episodes with such a turn",
            "seats": "how many seats there are of the name, over all episodes",
            "turns": "turns, asked for a rating or not",
            "mean_words": "words a turn, those without readable speech left out",
        },
    ),
    # Which phases are votes is seen from the turns that have an answer: in those, one without an
    # answer is a vote that could not be read.
    "ballots": View(
        "One row is a seat's vote inside its own episode, in a play where nothing is right or wrong"
        " (see gradable); its last one, if it voted several times",
        """
        with spoken as (
            select e.study, e.arm, t.phase, t.episode, t.seat, t.step, t.answer, t.flags
            from latest_turns t join episodes e on e.episode = t.episode and e.status = 'done'
            anti join latest_answers on latest_answers.episode = t.episode
            anti join latest_rulings on latest_rulings.episode = t.episode),
        polls as (select distinct study, arm, phase from spoken where answer is not null),
        cast_in_turns as (
            select episode, seat, answer,
                   coalesce(nullif(array_to_string(flags, '; '), ''), 'no answer') as reason
            from spoken semi join polls using (study, arm, phase)
            qualify row_number() over (partition by episode, seat order by step desc) = 1),
        given as (
            select episode, seat, answer, coalesce(canonical, answer) as option,
                   coalesce(status, 'no answer') as reason
            from answer_stages where path
            union all by name
            select episode, seat, answer, lower(trim(answer)) as option, reason from cast_in_turns),
        results as (
            select episode, coalesce(canonical, answer) as result from latest_answers where final)
        select e.study, e.arm, e.episode, e.subject, e.repeat, g.seat, s.contestant, s.model,
               g.answer, g.option, case when g.option is null then g.reason end as reason,
               c.seat as candidate, r.result
        from given g join episodes e on e.episode = g.episode and e.status = 'done'
        anti join gradable on gradable.episode = g.episode
        left join contestants s on s.episode = g.episode and s.seat = g.seat
        left join seats c on c.episode = g.episode and lower(c.seat) = lower(g.option)
        left join results r on r.episode = g.episode
        """,
        {
            "seat": "who voted",
            "answer": "what it voted for, as it was read; NULL: see reason",
            "option": "the value of the answer, by which votes are counted",
            "candidate": "the seat of the same episode that the vote names; NULL: it names none",
            "result": "the final answer of the episode; NULL: none, as in a tie",
        },
    ),
    "ballot_counts": View(
        "One row is an episode in which its own seats voted: how many, for what, and the result",
        """
        with counts as (
            select study, arm, episode, subject, option, result, count(*) as n
            from ballots group by all)
        select study, arm, episode, subject, sum(n)::bigint as voters,
               coalesce(sum(n) filter (option is not null), 0)::bigint as votes,
               coalesce(sum(n) filter (option is null), 0)::bigint as missing,
               count(option) as options, max(n) filter (option is not null) as most,
               coalesce(count(*) filter (option is not null and n = first_n) > 1, false) as tie,
               case when not tie then min(option) filter (n = first_n) end as leader,
               any_value(result) as result
        from (select *, max(n) filter (option is not null) over (partition by episode) as first_n
              from counts)
        group by study, arm, episode, subject order by study, arm, episode
        """,
        {
            "voters": "seats that were asked for a vote",
            "votes": "votes that could be read",
            "missing": "votes that could not be read",
            "options": "how many different options have a vote",
            "most": "votes for the option that has most; NULL without a vote",
            "tie": "whether several options have most votes",
            "leader": "the option with most votes; NULL: a tie, or no vote",
            "result": "the final answer of the episode; NULL: none, as in a tie",
        },
    ),
    "candidates": View(
        "One row is a seat that ballots of its arm name, in an episode with ballots: who sat there,"
        " and its votes",
        """
        with named as (
            select study, arm, candidate as seat from ballots
            where candidate is not null group by study, arm, candidate),
        polled as (
            select study, arm, episode, subject, repeat, count(candidate) as votes_cast
            from ballots group by study, arm, episode, subject, repeat),
        won as (
            select episode, candidate as seat, count(*) as votes
            from ballots where candidate is not null group by episode, candidate),
        placed as (
            select p.*, n.seat, s.contestant, s.model, coalesce(w.votes, 0) as votes,
                   (select min(t.started_at) from turns t
                    where t.episode = p.episode and t.seat = n.seat) as spoke_at
            from polled p join named n using (study, arm)
            join contestants s on s.episode = p.episode and s.seat = n.seat
            left join won w on w.episode = p.episode and w.seat = n.seat)
        select * exclude (spoke_at), count(*) over (partition by episode) as rivals,
               row_number() over (partition by episode order by spoke_at, seat) as place,
               votes / nullif(votes_cast, 0) as vote_share
        from placed
        """,
        {
            "seat": "the candidate's seat",
            "votes": "votes for it",
            "votes_cast": "votes for any candidate in the episode",
            "rivals": "candidates in the episode, itself included",
            "place": "1 for the candidate that spoke first",
            "vote_share": "votes over votes_cast; by chance 1 over rivals; NULL: no vote",
        },
    ),
    # Who sits in two seats of an episode gets the votes of both.
    "vote_shares": View(
        "Shares of the votes inside plays, by study and by the contestant whom they name",
        """
        with won as (
            select study, contestant, episode, sum(votes) as votes,
                   any_value(votes_cast) as votes_cast, count(*) / any_value(rivals) as chance
            from candidates group by study, contestant, episode)
        select study, contestant, count(*) as episodes, sum(votes)::bigint as votes,
               sum(votes_cast)::bigint as votes_cast,
               sum(votes) / nullif(sum(votes_cast), 0) as share,
               sum(chance * votes_cast) / nullif(sum(votes_cast), 0) as by_chance
        from won group by study, contestant order by study, share desc, contestant
        """,
        {
            "episodes": "episodes with votes in which it could be named",
            "votes": "votes for it",
            "votes_cast": "votes for any candidate in these episodes",
            "share": "votes over votes_cast",
            "by_chance": "the share if votes fell on all candidates alike",
        },
    ),
}
