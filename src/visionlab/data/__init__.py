"""Data sets as one uint8 tensor on the training device, and the batches cut from it."""
