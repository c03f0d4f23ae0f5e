"""Rows to database: one loading of a scenario, and the ways to put it back or take it away.

The centre is `instance.Instance`. `load` makes one, `finding` opens one again, `removal` takes it away,
`entering` is the way back by snapshot, `changed` tells what became of it.
"""
