"""What pytest loads; inert until a test asks for one of the fixtures."""
