"""Charts: rows in, a picture out."""
