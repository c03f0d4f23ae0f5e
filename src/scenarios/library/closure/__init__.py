"""The rows that hang on other rows, found in a live database by its foreign keys.

The centre is `reach.reach_of`; `extract` fetches what is within reach and arranges it as a file would.
"""
