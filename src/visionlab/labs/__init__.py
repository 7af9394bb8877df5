"""Labs: what their runs have measured, whether the expected effect is seen, and the picture and words that say so.

A lab is a campaign whose runs are those of a file in conf/lab/. It has no training loop of its own.
"""
