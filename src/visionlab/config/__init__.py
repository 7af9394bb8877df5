"""Configuration: YAML and command line -> Hydra -> pydantic. Nothing in this package imports torch."""
