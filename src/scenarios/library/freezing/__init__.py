"""Database to file: a state somebody is looking at becomes a scenario.

The centre is `freeze.freeze`, which names its steps in order; `lossless` proves the result. `code` says the
same in Python.
"""
