"""The same application while the coach is away.

Run it with ``uvicorn coach_bot_api.during_an_outage:create_app --factory``.
"""

from __future__ import annotations

from fastapi import FastAPI

from coach_bot_api import app
from coach_bot_api.coach import NoCoach


def create_app() -> FastAPI:
    """Return the application without a coach."""
    return app.create_app(coach=NoCoach())
