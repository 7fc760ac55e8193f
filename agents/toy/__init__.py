"""A tiny model that really answers: it adds three two-digit numbers, for tests and demonstrations.

It writes out its thought, sums it up when asked, and heeds its peers.  `weights/` is an ordinary
transformers folder, language.py its tokenizer, and problems.py gives questions to ask it.  The
programs that made and measured it are in experiments/toy/ of the repository: lessons.py holds its
training material, train.py trains it, evaluate.py measures it.
"""
