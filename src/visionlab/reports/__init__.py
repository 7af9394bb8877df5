"""Self-contained HTML pages: of a run, and of whatever is made of several."""
