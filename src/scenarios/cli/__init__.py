"""The ``scenarios`` command."""
