"""A tiny model that really answers: sums of three two-digit numbers, with a written-out thought, summaries, and an ear for its peers.

`weights/` is an ordinary transformers folder; train.py made it and measures it, lessons.py is what it was taught, language.py is its
tokenizer, and problems.py gives questions to ask it.
"""
