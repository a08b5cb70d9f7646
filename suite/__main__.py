"""``python -m suite`` and the ``suite`` command."""

from suite.cli.program import main

if __name__ == "__main__":
    main()
