"""Institutions, roles, users, profiles and refresh tokens.

Everything a tenant owns hangs from ``users``: a user belongs to one institution, and the pair of both is a
key, so that no row elsewhere can name a user together with the wrong institution.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, Text, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import INET
from sqlalchemy.orm import Mapped, mapped_column, relationship

from scenarios.domain import PERSONAL
from scenarios.domains.essay_coach.enums import RevokeReason
from scenarios.domains.essay_coach.models.base import (
    Base,
    Created,
    Key,
    Time,
    blank,
    check,
    document,
    is_json,
    one_of,
    string,
)


class Institution(Base):
    """A school: the tenant. ``student_count`` is kept by a trigger on ``users`` and never written by hand."""

    __tablename__ = "institutions"
    __table_args__ = (
        check("name_not_blank", "btrim(name) <> ''"),
        check("student_count_not_negative", "student_count >= 0"),
    )

    id: Mapped[Key]
    name: Mapped[str] = string(100, unique=True)
    created_at: Mapped[Created]
    student_count: Mapped[int] = mapped_column(server_default=text("0"))

    users: Mapped[list[User]] = relationship(back_populates="institution", passive_deletes=True)


class RoleRow(Base):
    """A role people have, with what it may do; shared by all institutions."""

    __tablename__ = "roles"
    __table_args__ = (is_json("permissions", "array"),)

    code: Mapped[str] = string(20, primary_key=True)
    label: Mapped[str] = string(50, unique=True)
    description: Mapped[str] = blank(None)
    permissions: Mapped[list[str]] = document("[]")


class User(Base):
    """A person: student, educator or admin of one institution."""

    __tablename__ = "users"
    __table_args__ = (
        UniqueConstraint("id", "institution_id", name="users_id_institution_id_key"),
        Index("users_email_lower_key", text("lower(email)"), unique=True),
        Index("idx_users_email", "email"),
        Index("idx_users_role_institution", "role", "institution_id"),
        Index("idx_users_institution_id", "institution_id"),
        check("username_not_blank", "btrim(username) <> ''"),
        check("email_has_at", "position('@' in email) > 1"),
        check("updated_after_created", "updated_at >= created_at"),
        check("login_after_joining", "last_login >= date_joined"),
        check("admin_is_staff", "role <> 'admin' OR is_staff"),
    )

    id: Mapped[Key]
    institution_id: Mapped[int] = mapped_column(ForeignKey("institutions.id", ondelete="RESTRICT"))
    username: Mapped[str] = string(150, "username", unique=True)
    email: Mapped[str] = string(254, "email")
    password: Mapped[str] = string(128, "secret")
    first_name: Mapped[str] = blank(150, "first_name")
    last_name: Mapped[str] = blank(150, "last_name")
    role: Mapped[str] = mapped_column(
        ForeignKey("roles.code", ondelete="RESTRICT", onupdate="CASCADE"),
        server_default=text("'student'"),
        info={PERSONAL: None},
    )
    grade_level: Mapped[str] = blank(20)
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    is_staff: Mapped[bool] = mapped_column(server_default=text("false"))
    is_superuser: Mapped[bool] = mapped_column(server_default=text("false"))
    last_login: Mapped[Time | None]
    date_joined: Mapped[Created]
    created_at: Mapped[Created]
    updated_at: Mapped[Created]

    institution: Mapped[Institution] = relationship(back_populates="users")
    profile: Mapped[UserProfile | None] = relationship(back_populates="user", passive_deletes=True)
    refresh_tokens: Mapped[list[RefreshToken]] = relationship(back_populates="user", passive_deletes=True)


class UserProfile(Base):
    """What a person tells about themselves, and how they like to be told things."""

    __tablename__ = "user_profiles"
    __table_args__ = (
        check("bio_length", "char_length(bio) <= 500"),
        is_json("preferences", "object"),
    )

    id: Mapped[Key]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), unique=True)
    bio: Mapped[str] = blank(None, "text")
    avatar: Mapped[str | None] = string(100, "username")
    timezone: Mapped[str] = string(50, server_default=text("'UTC'"))
    preferences: Mapped[dict[str, Any]] = document("{}")

    user: Mapped[User] = relationship(back_populates="profile")


class RefreshToken(Base):
    """One refresh token of a login session (the family); only the SHA-256 of the token is kept."""

    __tablename__ = "refresh_tokens"
    __table_args__ = (
        check("token_hash_is_sha256", "octet_length(token_hash) = 32"),
        check("expires_after_issued", "expires_at > issued_at"),
        check("revoked_after_issued", "revoked_at >= issued_at"),
        check("revoked_with_reason", "(revoked_at IS NULL) = (revoke_reason IS NULL)"),
        check(
            "replaced_when_rotated", "replaced_by IS NULL OR revoke_reason IN ('rotated', 'reuse_detected')"
        ),
        one_of("revoke_reason", RevokeReason),
        Index(
            "refresh_tokens_one_live_per_family",
            "family_id",
            unique=True,
            postgresql_where=text("revoked_at IS NULL"),
        ),
        Index("idx_refresh_tokens_user_expires", "user_id", "expires_at"),
        Index("idx_refresh_tokens_replaced_by", "replaced_by"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=func.gen_random_uuid())
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    family_id: Mapped[UUID]
    jti: Mapped[UUID] = mapped_column(unique=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True, info={PERSONAL: "secret"})
    issued_at: Mapped[Created]
    expires_at: Mapped[Time]
    revoked_at: Mapped[Time | None]
    revoke_reason: Mapped[str | None] = string(20)
    replaced_by: Mapped[UUID | None] = mapped_column(ForeignKey("refresh_tokens.id", ondelete="SET NULL"))
    user_agent: Mapped[str] = mapped_column(Text, server_default=text("''"), info={PERSONAL: "text"})
    ip: Mapped[Any | None] = mapped_column(INET, info={PERSONAL: "address"})

    user: Mapped[User] = relationship(back_populates="refresh_tokens")

    def is_live(self, at: datetime) -> bool:
        """Return whether the token could still be used at the time *at*."""
        return self.revoked_at is None and self.expires_at > at
