"""Text to tree: what a scenario file says, with the line and column of every word.

The centre is `compose`, which makes one scenario of several files; `tree` reads YAML, `head` is what a file
says of itself, `shapes` what a value may be. Nothing here knows a table.
"""
