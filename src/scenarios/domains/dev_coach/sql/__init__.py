"""The SQL texts of Dev Coach, read with importlib.resources."""
