-- This month and the next three, so that a fresh database takes new rows where they belong.
SELECT create_months_ahead(3);
