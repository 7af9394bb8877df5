"""One module for each command. Each has `add_arguments(parser)` and `run(arguments)`, and imports what it needs late."""
