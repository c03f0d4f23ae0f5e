"""Run in a process of its own: Django describes the database with inspectdb and reads one user through it.

Usage: python django_reads.py DSN EMAIL. Prints JSON.
"""

from __future__ import annotations

import io
import json
import sys
import types
from urllib.parse import parse_qs, unquote, urlsplit

import django
from django.conf import settings
from django.core.management import call_command

ADDRESS = urlsplit(sys.argv[1])
QUERY = {name: values[0] for name, values in parse_qs(ADDRESS.query).items()}
settings.configure(
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": ADDRESS.path.lstrip("/"),
            "USER": unquote(ADDRESS.username or QUERY.get("user", "")),
            "PASSWORD": unquote(ADDRESS.password or QUERY.get("password", "")),
            "HOST": QUERY.get("host") or ADDRESS.hostname or "",
            "PORT": QUERY.get("port") or str(ADDRESS.port or ""),
        }
    },
    INSTALLED_APPS=["django.contrib.postgres"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
)
django.setup()

written = io.StringIO()
call_command("inspectdb", stdout=written)
source = written.getvalue()
inspected = types.ModuleType("inspected")
# The models need an application; the inspected source names none.
source_in_app = source.replace("    class Meta:\n", "    class Meta:\n        app_label = 'inspected'\n")
exec(compile(source_in_app, "inspected.py", "exec"), inspected.__dict__)

User = inspected.UsersUser
user = User.objects.get(email=sys.argv[2])
state = inspected.CoachStatesCoachstate.objects.select_related("current_identity", "user").get(user=user)
messages = inspected.ChatMessagesChatmessage.objects.filter(user=user).order_by("timestamp")
relations = {
    f"{model._meta.db_table}.{field.column}": field.related_model._meta.db_table
    for model in vars(inspected).values()
    if isinstance(model, type) and issubclass(model, django.db.models.Model)
    for field in model._meta.fields
    if field.is_relation
}
json.dump(
    {
        "models": sorted(
            model._meta.db_table
            for model in vars(inspected).values()
            if isinstance(model, type) and issubclass(model, django.db.models.Model)
        ),
        "relations": relations,
        "comments": [line.strip() for line in source.splitlines() if "could not" in line or "Unable" in line],
        "name": user.first_name,
        "messages": [[message.role, message.content] for message in messages],
        "identities": sorted(
            identity.name for identity in inspected.IdentitiesIdentity.objects.filter(user=user)
        ),
        "phase": state.current_phase,
        "current_identity": state.current_identity.name,
        "lists": [state.who_you_are, state.asked_questions],
        "metadata": state.metadata,
    },
    sys.stdout,
)
