"""Read the text of a reply: tags, answers and confidences."""
