"""The viewer: pages over a store, rendered on the server, for `arena view` and `arena publish`.

A page is a function of a site, a name and a query that returns a template and its contents
(`pages/`); `app.py` serves pages, `publish.py` writes them to files.  Nothing is loaded from
elsewhere, and every page can be read without JavaScript.  Text of models is untrusted: it is
escaped, and characters that could mislead a reader are made visible.
"""
