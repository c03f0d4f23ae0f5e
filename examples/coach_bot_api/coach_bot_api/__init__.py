"""Coach Bot over HTTP, on the data layer in `scenarios.domains.coach_bot`; the centre is `app.create_app`."""
