"""The SQL texts of the schema tools, read with importlib.resources."""
