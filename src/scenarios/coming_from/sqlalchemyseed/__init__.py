"""sqlalchemyseed's files become a scenario file. The centre is `convert.convert`."""

from scenarios.coming_from.sqlalchemyseed.convert import Converted, convert

__all__ = ["Converted", "convert"]
