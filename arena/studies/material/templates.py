"""Make questions of sixteen kinds from templates, with numbers by a random seed and computed golds.

A template draws its numbers, computes the gold answer, and says both in words.  Nothing is looked
up, so that no gold can be wrong by its source, and new random seeds give questions that no model
has been trained on.  The tests solve every kind a second time, from the words alone.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from datetime import date, datetime, timedelta
from fractions import Fraction

# Question, gold answer, and the options of a multiple-choice question.
Made = tuple[str, str, tuple[str, ...]]
Template = Callable[[random.Random], Made]

NAMES = ("Ada", "Bela", "Chen", "Dina", "Emil", "Fatou", "Goran", "Hana", "Ivo", "Jun")
GOODS = ("pens", "apples", "tickets", "candles", "tiles", "stamps", "bricks", "cups")
# fmt: off
WORDS = (
    "river", "lantern", "orbit", "pepper", "gravel", "meadow", "thistle", "copper", "harbour",
    "velvet", "engine", "morning", "cinnamon", "ladder", "whistle", "barrel", "feather",
    "compass", "winter", "saddle", "mirror", "tunnel", "blanket", "needle",
)
# fmt: on
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
DIRECTIONS = {"north": (0, 1), "south": (0, -1), "east": (1, 0), "west": (-1, 0)}


def shopping(rng: random.Random) -> Made:
    """Ask for the change after a purchase with a discount."""
    goods, name = rng.choice(GOODS), rng.choice(NAMES)
    number, price, off = rng.randint(4, 15), rng.randint(5, 19), rng.randint(2, 12)
    paid = (number * price // 50 + 1) * 50
    text = (
        f"{name} buys {number} {goods} at {price} crowns each. The shop takes {off} crowns off the"
        f" whole bill, and {name} pays with {paid} crowns. How many crowns of change are due?"
    )
    return text, str(paid - (number * price - off)), ()


def journeys(rng: random.Random) -> Made:
    """Ask for the time of arrival after two rides and a wait."""
    start = datetime(2000, 1, 1, rng.randint(12, 16), rng.randint(0, 59))
    first, wait, second = rng.randint(25, 170), rng.randint(6, 48), rng.randint(25, 170)
    arrival = start + timedelta(minutes=first + wait + second)
    text = (
        f"A train leaves at {start:%H:%M} and arrives after {first} minutes. A second train leaves"
        f" {wait} minutes after that arrival and travels for {second} minutes. How many minutes"
        " after noon, 12:00, does the second train arrive?"
    )
    noon = datetime(2000, 1, 1, 12, 0)
    return text, str(int((arrival - noon).total_seconds() // 60)), ()


def calendar(rng: random.Random) -> Made:
    """Ask for the day of the week some days after a date."""
    day = date(rng.randint(2001, 2024), 1, 1) + timedelta(days=rng.randint(0, 364))
    after = rng.randint(20, 400)
    text = (
        f"{day.day} {day:%B} {day.year} was a {WEEKDAYS[day.weekday()]}. Which day of the week was"
        f" it {after} days later?"
    )
    return text, "ABCDEFG"[(day.weekday() + after) % 7], WEEKDAYS


def letters(rng: random.Random) -> Made:
    """Ask how often a letter occurs in a few words."""
    words = rng.sample(WORDS, rng.randint(4, 7))
    letter = rng.choice([each for each in "erantl" if each in "".join(words)])
    text = (
        f"How many times does the letter {letter} occur in these words, taken together:"
        f" {', '.join(words)}?"
    )
    return text, str("".join(words).count(letter)), ()


def order(rng: random.Random) -> Made:
    """Ask who stands at a place of an order that comparisons of neighbours give."""
    people = rng.sample(NAMES, 5)
    clues = [f"{a} is older than {b}." for a, b in itertools.pairwise(people)]
    rng.shuffle(clues)
    place = rng.randint(2, 4)
    options = tuple(sorted(people))
    ordinal = {2: "second", 3: "third", 4: "fourth"}[place]
    text = f"{' '.join(clues)} Who is the {ordinal} oldest of the five?"
    return text, "ABCDE"[options.index(people[place - 1])], options


def truth_tellers(rng: random.Random) -> Made:
    """Ask how many of three people tell the truth, where one answer alone is consistent."""
    people, wanted = rng.sample(NAMES, 3), rng.randint(0, 2)
    while True:
        said = [statement(rng, speaker, people) for speaker in range(3)]
        worlds = [
            world
            for world in itertools.product([True, False], repeat=3)
            if all(holds(world) == honest for (_, holds), honest in zip(said, world, strict=True))
        ]
        if len(worlds) == 1 and sum(worlds[0]) == wanted:
            break
    lines = [f'{name} says: "{words}."' for name, (words, _) in zip(people, said, strict=True)]
    text = (
        "Each of three people either always tells the truth or always lies. "
        + " ".join(lines)
        + " How many of the three always tell the truth?"
    )
    return text, str(wanted), ()


def statement(
    rng: random.Random, speaker: int, people: list[str]
) -> tuple[str, Callable[[tuple[bool, ...]], bool]]:
    """Return what one of three people says, and whether it holds given who tells the truth."""
    one, other = rng.sample([k for k in range(3) if k != speaker], 2)
    number = rng.randint(0, 2)
    return rng.choice(
        [
            (f"{people[one]} always tells the truth", lambda world: world[one]),
            (f"{people[one]} always lies", lambda world: not world[one]),
            (
                f"{people[one]} and {people[other]} both always lie",
                lambda world: not (world[one] or world[other]),
            ),
            (
                f"At least one of {people[one]} and {people[other]} always tells the truth",
                lambda world: world[one] or world[other],
            ),
            (
                f"The number of us three who always tell the truth is {number}",
                lambda world: sum(world) == number,
            ),
        ]
    )


def walks(rng: random.Random) -> Made:
    """Ask how many streets lie between the end of a walk on a grid and its start."""
    x, y, steps = 0, 0, list[str]()
    while x == y == 0:
        last, steps = "", []
        for _ in range(rng.randint(4, 6)):
            last = rng.choice([each for each in DIRECTIONS if each != last])
            number = rng.randint(2, 9)
            x, y = x + DIRECTIONS[last][0] * number, y + DIRECTIONS[last][1] * number
            steps.append(f"{number} blocks {last}")
    text = (
        f"In a city whose streets form a square grid somebody walks {', then '.join(steps)}. How"
        " many blocks is the shortest way back to the start along the streets?"
    )
    return text, str(abs(x) + abs(y)), ()


def sequences(rng: random.Random) -> Made:
    """Ask for a later number of a sequence whose rule is given."""
    # So that the numbers grow and none is negative.
    first, second = rng.randint(1, 6), rng.randint(8, 15)
    change, place = rng.randint(1, 4), rng.randint(6, 9)
    numbers = [first, second]
    while len(numbers) < place:
        numbers.append(numbers[-1] + numbers[-2] - change)
    text = (
        f"A sequence begins with {first}, {second}. Each further number is the sum of the two"
        f" before it, minus {change}. Which number stands at place {place}, if the first number has"
        " place 1?"
    )
    return text, str(numbers[-1]), ()


def chances(rng: random.Random) -> Made:
    """Ask for the probability that two balls drawn from a bag have one colour."""
    red, blue = rng.randint(2, 8), rng.randint(2, 8)
    pairs = Fraction(red * (red - 1) + blue * (blue - 1), (red + blue) * (red + blue - 1))
    text = (
        f"A bag holds {red} red and {blue} blue balls. Two are drawn at random without putting the"
        " first one back. What is the probability that both have the same colour? Give a fraction"
        " in lowest terms."
    )
    return text, str(pairs), ()


def recipes(rng: random.Random) -> Made:
    """Ask for an amount in grams when a recipe is scaled."""
    people, factor, grams = rng.randint(2, 6), rng.randint(2, 7), rng.randint(4, 30) * 15
    guests = people * factor
    packs = rng.choice([250, 500])
    needed = -(-grams * factor // packs)
    text = (
        f"A recipe for {people} people takes {grams} grams of flour. Flour is sold in packs of"
        f" {packs} grams. What is the smallest number of packs that is enough for {guests} people?"
    )
    return text, str(needed), ()


def sets(rng: random.Random) -> Made:
    """Ask how many belong to neither of two overlapping groups."""
    both, only_first, only_second, neither = (rng.randint(2, 20) for _ in range(4))
    total = both + only_first + only_second + neither
    text = (
        f"Of {total} members of a club, {both + only_first} play chess, {both + only_second} play"
        f" go, and {both} play both. How many play neither?"
    )
    return text, str(neither), ()


def binary(rng: random.Random) -> Made:
    """Ask for the decimal value of a sum of two binary numbers."""
    first, second = rng.randint(9, 63), rng.randint(9, 63)
    text = f"Add the binary numbers {first:b} and {second:b}. What is the sum in decimal notation?"
    return text, str(first + second), ()


def sorting(rng: random.Random) -> Made:
    """Ask for the word at a place of the alphabetical order."""
    words = rng.sample(WORDS, 6)
    place = rng.randint(2, 5)
    ordinal = {2: "second", 3: "third", 4: "fourth", 5: "fifth"}[place]
    text = (
        f"Sort these words alphabetically, from A to Z: {', '.join(words)}. Which of them is then"
        f" the {ordinal}?"
    )
    return text, "ABCDEF"[words.index(sorted(words)[place - 1])], tuple(words)


def divisors(rng: random.Random) -> Made:
    """Ask how many whole numbers in a range are divisible by one number and not by another."""
    pairs = itertools.permutations([2, 3, 4, 5, 6, 7], 2)
    by, but = rng.choice([(a, b) for a, b in pairs if a % b])
    low = rng.randint(10, 60)
    high = low + rng.randint(30, 70)
    number = sum(n % by == 0 and n % but != 0 for n in range(low, high + 1))
    text = (
        f"How many whole numbers from {low} to {high}, both included, are divisible by {by} but not"
        f" by {but}?"
    )
    return text, str(number), ()


def programs(rng: random.Random) -> Made:
    """Ask for the value of a variable after a loop."""
    start, add, times, limit = (
        rng.randint(1, 9),
        rng.randint(2, 7),
        rng.randint(3, 6),
        rng.randint(15, 40),
    )
    value = start
    for _ in range(times):
        value = 2 * value if value < limit else value - add
    text = (
        f"A counter begins at {start}. This step is done {times} times in a row: if the counter is"
        f" below {limit}, it is doubled; otherwise {add} is subtracted from it. What is the counter"
        " at the end?"
    )
    return text, str(value), ()


def meetings(rng: random.Random) -> Made:
    """Ask for how many minutes three people are free at once."""
    people = rng.sample(NAMES, 3)
    spans = []
    latest, earliest = 0, 24 * 60
    for _ in people:
        begin = 8 * 60 + rng.randint(0, 16) * 10
        end = begin + rng.randint(18, 36) * 10
        spans.append((begin, end))
        latest, earliest = max(latest, begin), min(earliest, end)
    lines = [
        f"{name} is free from {a // 60}:{a % 60:02} to {b // 60}:{b % 60:02}."
        for name, (a, b) in zip(people, spans, strict=True)
    ]
    text = f"{' '.join(lines)} For how many minutes are all three free at the same time?"
    return text, str(earliest - latest), ()


TEMPLATES: dict[str, Template] = {
    template.__name__.replace("_", " "): template
    for template in (
        shopping,
        journeys,
        calendar,
        letters,
        order,
        truth_tellers,
        walks,
        sequences,
        chances,
        recipes,
        sets,
        binary,
        sorting,
        divisors,
        programs,
        meetings,
    )
}
