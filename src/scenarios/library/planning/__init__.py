"""Tree to rows: what is written for a file, complete before a database is touched.

The centre is `plan.Planner`. `sections` says where a system's rows stand in its files, `reader` finds them,
and `columns` knows what a column accepts and becomes when nobody says.
"""
