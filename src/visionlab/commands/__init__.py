"""One module a command, with `add_arguments(parser)` and `run(arguments)`; what is heavy is imported late."""
