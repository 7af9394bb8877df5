"""Every plot, in one style."""
