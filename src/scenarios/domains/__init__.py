"""The systems that come with the project, one package each, described by a `scenarios.domain.Domain`."""
