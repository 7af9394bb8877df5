"""A run trained again from its own configuration: what is the same now, and whether it comes out the same."""
