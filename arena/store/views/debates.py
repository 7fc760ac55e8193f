"""Views of debates: who debated, and how sure they were.

Each question has one view that answers it, debate by debate or turn by turn, and every count and
mean reads that one: `debates` (who sat where), `ratings` (how sure a debater was), `phase_pairs`
and `side_confidence` (how sure both sides were), and `first_and_last` (how far a debater rose).
Who won is in outcomes.py.

A debate is a finished episode with the seats proposition and opposition, whatever its protocol.
"""

from __future__ import annotations

from arena.store.views.base import View
from arena.store.views.contestants import SEATS, join_agents

# Words stand between spaces and line breaks; splitting at a regular expression would take a
# hundred times as long.
WORDS = (
    "len(list_filter(string_split(translate(t.public, chr(9) || chr(10) || chr(13), '   '), ' '),"
    " lambda w: w <> ''))"
)
# A debate needs both seats; a rating counts by itself, also if only its own seat is on record.
SIDES = f"""
    with labels as materialized (from agents)
    select e.study, e.arm, e.episode, e.subject, e.repeat, e.started_at,
           p.agent as proposition_agent, o.agent as opposition_agent,
           p.model as proposition_model, o.model as opposition_model,
           lp.contestant as proposition_contestant, lo.contestant as opposition_contestant,
           coalesce(lp.identity = lo.identity, false) as against_itself,
           coalesce(e.options->>'schedule', '') = 'sequential' as sequential,
           p.seat is not null and o.seat is not null as in_debate
    from episodes e left join {SEATS} p on p.episode = e.episode and p.seat = 'proposition'
    left join {SEATS} o on o.episode = e.episode and o.seat = 'opposition'
    {join_agents("lp", play="e", seat="p", agents="labels")}
    {join_agents("lo", play="e", seat="o", agents="labels")}
    where e.status = 'done'
"""
# The ratings of both sides of a phase, without agents and models: to look these up takes longer.
BOTH_RATINGS = """
    max(confidence) filter (seat = 'proposition') as proposition,
    max(confidence) filter (seat = 'opposition') as opposition,
    bool_or(confidence_status <> 'not asked') as asked
"""

PAIR_COLUMNS = {
    "proposition": "the proposition's rating, in [0, 1]; NULL: missing",
    "opposition": "the opposition's rating, in [0, 1]; NULL: missing",
    "excess": "the sum of both minus 1: above 0, both cannot be right; NULL where one is missing",
    "lower": "the lower of the two: both sides are at least as sure; NULL where one is missing",
    "asked": "whether a rating was asked for, of either side",
    "number": "1 for the first speeches of the phase, 2 where it comes again in the round",
}

RATING_COLUMNS = {
    "seat": "proposition or opposition",
    "in_debate": "whether the other side sat in the episode too",
    "asked": "whether a rating was asked for",
    "missing": "whether a rating was asked for and could not be read",
    "flagged": "whether the turn carries a doubt in words",
}


def with_labels(turns: str, arm: str = "study, arm, asked, in_debate") -> str:
    """Return SQL for turns with their `label`, the phase as reports call it.

    `turns` is SQL for all turns of whole arms with the columns of rated_turns that a label goes by;
    `arm` are those within which phases of one name are one.
    """
    # In most arms each seat comes to a phase of a round at one step: none comes there twice, and
    # nothing is to be numbered.  Turns without a rating count: a phase keeps its name whoever is
    # asked.
    return f"""
        with spoken as materialized ({turns}),
        moving as (
            select study, arm, seat, round, phase from spoken
            group by study, arm, seat, round, phase having min(step) < max(step)),
        again as (
            select episode, seat, round, phase, list_sort(list(step)) as steps
            from spoken semi join moving using (study, arm, seat, round, phase)
            group by episode, seat, round, phase having count(*) > 1),
        named as (
            select s.*, list_position(steps, step) as number,
                   phase || case when number > 1 then ' #' || number else '' end as name
            from spoken s left join again using (episode, seat, round, phase))
        select * exclude (number) from ({labelled("named", arm)})
        """


def labelled(named: str, arm: str = "study, arm, asked, in_debate") -> str:
    """Return SQL for rows that have the `name` of their phase with its label, as `with_labels`."""
    # Joins, not windows: to sort all turns takes three times as long as to group them.
    return f"""
            select n.* exclude (name),
                   name || case when m.name is not null then ', round ' || round else '' end
                       as label
            from {named} n left join (
                select {arm}, name from {named} group by {arm}, name having min(round) < max(round)
            ) m using ({arm}, name)
    """


DEBATE_VIEWS: dict[str, View] = {
    # Outcomes stay out of this view: most readers need none, and counting votes takes longer than
    # the rest.
    "debates": View(
        "One row is a finished debate: its motion, and who sat on both sides",
        f"""
        select * exclude (in_debate) from ({SIDES}) where in_debate
        """,
        {
            "started_at": "UTC; for imports from the file's name, its zone unknown",
            "proposition_agent": "the agent on the proposition's side",
            "opposition_agent": "the agent on the opposition's side",
        },
    ),
    # Who reads no labels reads this: to find these, all turns of an arm are read.
    "rated_turns": View(
        "One row is a debater's turn: its rating, or why it has none, and which model spoke",
        f"""
        select d.study, d.arm, d.episode, d.subject, d.repeat, t.seat,
               case t.seat when 'proposition' then d.proposition_model
                    else d.opposition_model end as model,
               case t.seat when 'proposition' then d.opposition_model
                    else d.proposition_model end
                   as opponent_model,
               case t.seat when 'proposition' then d.proposition_contestant
                    else d.opposition_contestant end as contestant,
               case t.seat when 'proposition' then d.opposition_contestant
                    else d.proposition_contestant end as opponent_contestant,
               d.against_itself, d.in_debate, d.started_at::date as day, d.sequential, t.step,
               t.round, t.phase, t.confidence, t.confidence_status,
               t.confidence_status <> 'not asked' as asked,
               asked and t.confidence is null as missing,
               coalesce(len(t.flags), 0) > 0 as flagged, t.rating_public, t.model_served,
               t.asks, {WORDS} as words, t.request_hash is not null as played_here,
               t.reader_version
        from latest_turns t join ({SIDES}) d using (episode)
        where t.seat in ('proposition', 'opposition')
        """,
        RATING_COLUMNS,
    ),
    "ratings": View(
        "One row is a debater's turn, as in rated_turns, with its phase as reports call it",
        with_labels("from rated_turns"),
        RATING_COLUMNS,
    ),
    "confidence_by_round": View(
        "Stated confidence of debaters by study, arm and phase",
        """
        select study, arm, round, phase, count(confidence) as n, round(avg(confidence), 12) as mean,
               round(stddev_samp(confidence), 12) as sd, count(*) filter (missing) as missing
        from rated_turns group by study, arm, round, phase order by all
        """,
    ),
    # A phase may come twice in a round: the first speech of one side then meets the first of the
    # other, and the second the second.  That is rare, and to number all turns would take four
    # times as long as to group them.
    "phase_pairs": View(
        "One row is a phase of a finished episode with the ratings of both sides, asked for or not",
        f"""
        with phases as (
            select episode, round, phase, {BOTH_RATINGS},
                   count(*) filter (seat = 'proposition') > 1
                       or count(*) filter (seat = 'opposition') > 1 as repeated
            from latest_turns where seat in ('proposition', 'opposition')
            group by episode, round, phase),
        numbered as (
            select *, row_number() over (
                partition by episode, seat, round, phase order by step) as number
            from latest_turns semi join (from phases where repeated) using (episode, round, phase)
            where seat in ('proposition', 'opposition')),
        pairs as (
            select * exclude (repeated), 1 as number from phases where not repeated
            union all by name
            select episode, round, phase, number, {BOTH_RATINGS}
            from numbered group by episode, round, phase, number)
        select e.study, e.arm, e.subject, p.*, round(proposition + opposition - 1, 12) as excess,
               case when proposition is not null and opposition is not null
                    then least(proposition, opposition) end as lower
        from pairs p join episodes e on e.episode = p.episode and e.status = 'done'
        """,
        PAIR_COLUMNS,
    ),
    "side_confidence": View(
        "One row is a phase of a debate with the ratings of both sides",
        f"""
        with named as (
            select p.*, d.proposition_model, d.opposition_model, d.proposition_contestant,
                   d.opposition_contestant, d.in_debate,
                   p.phase || case when p.number > 1 then ' #' || p.number else '' end as name
            from phase_pairs p join ({SIDES}) d using (episode) where p.asked)
        select study, arm, episode, subject, round, phase, proposition_model, opposition_model,
               proposition_contestant, opposition_contestant, proposition, opposition, excess,
               lower, label
        from ({labelled("named")})
        order by study, arm, episode, round
        """,
        PAIR_COLUMNS,
    ),
    "both_sides": View(
        "In how many debates both sides were sure of winning, by study, arm and phase",
        """
        select study, arm, round, phase, count(*) as debates,
               count(*) filter (lower >= 0.75) as at_least_75,
               count(*) filter (lower > 0.75) as above_75, count(*) filter (lower > 0.5) as above_50
        from phase_pairs where lower is not null group by study, arm, round, phase order by all
        """,
        {
            "at_least_75": "both sides at 75% or more",
            "above_75": "both sides strictly above 75%",
            "above_50": "both sides strictly above 50%",
        },
    ),
    # The spans are of arms, not of debaters: a debater whose rating in the last round is missing
    # has no rise, instead of one over fewer rounds.
    "first_and_last": View(
        "One row is a debater with its first and its last rating, and how far it rose",
        """
        with spans as (
            select study, arm, min(round) as first_round, max(round) as last_round
            from rated_turns where confidence is not null group by study, arm)
        select r.study, r.arm, r.episode, r.subject, r.seat, any_value(r.model) as model,
               any_value(r.opponent_model) as opponent_model,
               any_value(r.contestant) as contestant,
               any_value(r.opponent_contestant) as opponent_contestant,
               any_value(r.against_itself) as against_itself,
               any_value(s.first_round) as first_round, any_value(s.last_round) as last_round,
               max(r.confidence) filter (r.round = s.first_round) as first,
               max(r.confidence) filter (r.round = s.last_round) as last, last - first as rise,
               arg_min(r.confidence, r.step) as earliest, arg_max(r.confidence, r.step) as latest
        from rated_turns r left join spans s using (study, arm)
        group by r.study, r.arm, r.episode, r.subject, r.seat
        """,
        {
            "seat": "proposition or opposition",
            "first_round": "the first round of the arm with a rating; NULL: it has none",
            "last_round": "the last round of the arm with a rating",
            "first": "its rating in the first round, in [0, 1]; NULL: missing",
            "last": "its rating in the last round, in [0, 1]; NULL: missing",
            "rise": "last minus first; NULL where one is missing",
            "earliest": "its first rating that could be read, in whatever round",
            "latest": "its last rating that could be read, in whatever round",
        },
    ),
}
