"""Small changes to the core, one at a time, and whether tests notice: ``python -m tests.mutation``."""
