"""Where a PostgreSQL comes from, and how every test gets a database of its own in milliseconds.

Read `providers.start_server` first, then `server.Server`, `templates` and `ownership`.
"""

from scenarios.ownership import is_ours, require_ours, tag
from scenarios.postgres.database import Database, attach
from scenarios.postgres.providers import start_server
from scenarios.postgres.server import Server
from scenarios.postgres.templates import Template

__all__ = ["Database", "Server", "Template", "attach", "is_ours", "require_ours", "start_server", "tag"]
