"""The protocols as they asked in version 1, word for word: for studies that were begun with them.

Found by name (arena/studies/versions.py), and removed when they have been kept for one release.
"""
