"""Volume of EssayCoach: the schools (`recipe`) and what their people wrote (`people`)."""
