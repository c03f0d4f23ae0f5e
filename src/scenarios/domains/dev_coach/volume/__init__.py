"""Volume of Dev Coach: what a user looks like (`recipe`), and what they and the coach say (`talk`)."""
