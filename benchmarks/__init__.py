"""What everything costs, beside the tools people use today. `make bench` runs all of it.

Start in `benchmarks.__main__`: it runs each script in a process of its own, keeps what each one measured as
JSON, and has `benchmarks.report` write `docs/performance.md` from that.
"""
