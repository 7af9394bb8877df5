"""Several runs side by side: what was set differently, what came out differently, and what of that is chance."""
