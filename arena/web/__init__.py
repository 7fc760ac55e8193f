"""The viewer: pages over a store, rendered on the server, for `arena view` and `arena publish`.

A page is a function from a site and an address to a template and what stands in it (`pages/`); `app.py` serves pages, `publish.py` writes
them to files.  Nothing is loaded from elsewhere, no page needs JavaScript to be read, and text of models is text: escaped, and with
what could steer a reader made visible.
"""
