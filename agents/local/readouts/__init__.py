"""What local models measure of texts that are given: replies (given_replies.py) and pairs of texts.

Nothing is generated here, and the engine needs none of it.
"""
