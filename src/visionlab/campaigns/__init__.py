"""Everything that is more than one run: searches, cross-validation, repetitions, grids."""
