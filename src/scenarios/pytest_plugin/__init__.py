"""The pytest plugin: a database in a named state for each test that asks for one."""
