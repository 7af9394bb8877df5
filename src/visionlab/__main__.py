"""`python -m visionlab …`: the same as the `visionlab` command."""

from visionlab.cli import main

if __name__ == "__main__":
    main()
