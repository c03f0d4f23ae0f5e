"""``python -m scenarios``: the same as the command, for where its directory is not on the path."""

from scenarios.cli.main import run

if __name__ == "__main__":
    run()
