"""Looking at what a run depends on, and saying what to do about it."""
