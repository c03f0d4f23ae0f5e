"""Where Coach Bot's database is: read when asked, from the environment or an ``.env`` file.

A connection made at import time cannot be pointed at a test's own database, and a URL pieced together by hand
breaks on the first password with a percent sign. Passwords are kept as secrets and never appear in messages.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from scenarios.errors import SettingsError

DRIVER = "postgresql+asyncpg"


class CoachBotSettings(BaseSettings):
    """The variables Coach Bot reads. ``DATABASE_URL`` wins over the single ``POSTGRES_*`` ones.

    Attributes:
        pool_size: connections kept open.
        pool_overflow: connections opened beyond these under load and closed again.
        pool_timeout: seconds to wait for a connection before giving up.
        pool_recycle: seconds after which a connection is replaced, -1 for never.
        connect_timeout: seconds a new connection may take.
        statement_timeout: milliseconds a statement may take, 0 for as long as it likes.
        echo: write each statement to the log.
    """

    model_config = SettingsConfigDict(env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True)

    database_url: SecretStr | None = Field(default=None, validation_alias="DATABASE_URL")
    postgres_user: str | None = Field(default=None, validation_alias="POSTGRES_USER")
    postgres_password: SecretStr | None = Field(default=None, validation_alias="POSTGRES_PASSWORD")
    postgres_db: str | None = Field(default=None, validation_alias="POSTGRES_DB")
    postgres_host: str = Field(default="localhost", validation_alias="POSTGRES_HOST")
    postgres_port: int = Field(default=5432, ge=1, le=65535, validation_alias="POSTGRES_PORT")
    pool_size: int = Field(default=5, ge=1, validation_alias="COACH_BOT_POOL_SIZE")
    pool_overflow: int = Field(default=10, ge=0, validation_alias="COACH_BOT_POOL_OVERFLOW")
    pool_timeout: float = Field(default=30.0, gt=0, validation_alias="COACH_BOT_POOL_TIMEOUT")
    pool_recycle: int = Field(default=300, ge=-1, validation_alias="COACH_BOT_POOL_RECYCLE")
    connect_timeout: float = Field(default=10.0, gt=0, validation_alias="COACH_BOT_CONNECT_TIMEOUT")
    statement_timeout: int = Field(default=0, ge=0, validation_alias="COACH_BOT_STATEMENT_TIMEOUT")
    echo: bool = Field(default=False, validation_alias="COACH_BOT_ECHO")

    def url(self) -> URL:
        """Return the address of the database, always for asyncpg.

        Raises:
            SettingsError: neither ``DATABASE_URL`` nor all of ``POSTGRES_USER``, ``POSTGRES_PASSWORD`` and
                ``POSTGRES_DB`` are set, or the URL cannot be read.
        """
        if self.database_url is not None and self.database_url.get_secret_value():
            return asyncpg_url(self.database_url.get_secret_value())
        missing = [
            name.upper()
            for name in ("postgres_user", "postgres_password", "postgres_db")
            if getattr(self, name) is None
        ]
        if missing:
            raise SettingsError(
                "Coach Bot does not know its database",
                where="the environment and .env",
                why=f"neither DATABASE_URL nor {' and '.join(missing)} is set",
                hint="copy .env.example to .env and edit it",
            )
        assert self.postgres_password is not None
        return URL.create(
            DRIVER,
            username=self.postgres_user,
            password=self.postgres_password.get_secret_value(),
            host=self.postgres_host,
            port=self.postgres_port,
            database=self.postgres_db,
        )


def load_settings(env_file: Path | str | None = ".env") -> CoachBotSettings:
    """Read the settings now.

    Args:
        env_file: file with ``NAME=value`` lines; the environment wins over it; None reads no file.

    Raises:
        SettingsError: a value cannot be used; the message names the variable, not the value.
    """
    try:
        options: dict[str, Any] = {"_env_file": env_file}
        return CoachBotSettings(**options)
    except ValidationError as error:
        errors = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise SettingsError(
            "Coach Bot's settings cannot be used",
            where=f"the environment and {env_file}" if env_file else "the environment",
            why=errors,
        ) from None  # Pydantic's own message repeats the values, passwords included


def asyncpg_url(url: str | URL) -> URL:
    """Return *url* for the asyncpg driver, whatever PostgreSQL driver it names.

    libpq's ``sslmode`` becomes asyncpg's ``ssl``, its ``application_name`` stays out of the way.

    Raises:
        SettingsError: it is not the URL of a PostgreSQL database.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise SettingsError(
            "DATABASE_URL cannot be read as a URL",
            hint="write postgresql+asyncpg://user:password@host:5432/database, with % in it as %25",
        ) from None
    if parsed.get_backend_name() not in {"postgresql", "postgres"}:
        raise SettingsError(
            f"DATABASE_URL is for {parsed.get_backend_name()}, not for PostgreSQL",
            hint="write postgresql+asyncpg://user:password@host:5432/database",
        )
    query = dict(parsed.query)
    if "sslmode" in query:
        query["ssl"] = query.pop("sslmode")
    return parsed.set(drivername=DRIVER, query=query)
