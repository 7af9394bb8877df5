"""The test set of cats and dogs that others have labelled: brought here whole, never mixed with what is gathered."""
