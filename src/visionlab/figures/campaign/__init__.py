"""Every plot of a campaign."""
