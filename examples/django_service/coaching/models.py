"""Dev Coach's tables as far as this project reads and writes them; its migrations own them."""

from __future__ import annotations

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models


class User(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    email = models.EmailField(unique=True)
    first_name = models.CharField(max_length=150)

    class Meta:
        managed = False
        db_table = "users_user"


class Identity(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    user = models.ForeignKey(User, models.CASCADE, related_name="identities")
    name = models.CharField(max_length=255, null=True)
    category = models.CharField(max_length=32)
    state = models.CharField(max_length=32, null=True)
    notes = ArrayField(models.TextField(), default=list)

    class Meta:
        managed = False
        db_table = "identities_identity"


class CoachState(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    user = models.OneToOneField(User, models.CASCADE, related_name="coach_state")
    current_phase = models.CharField(max_length=32)
    current_identity = models.ForeignKey(Identity, models.SET_NULL, null=True, related_name="+")

    class Meta:
        managed = False
        db_table = "coach_states_coachstate"
