from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET, require_POST

from coaching.models import Identity, User


@require_GET
def coachee(request: HttpRequest, user_id: str) -> JsonResponse:
    user = get_object_or_404(User.objects.select_related("coach_state"), pk=user_id)
    identities = user.identities.order_by("name").values_list("name", "state")
    return JsonResponse(
        {"name": user.first_name, "phase": user.coach_state.current_phase, "identities": dict(identities)}
    )


@require_POST
def accept(request: HttpRequest, identity_id: str) -> JsonResponse:
    """Accept an identity, and let the coach go on with it."""
    with transaction.atomic():
        identity = get_object_or_404(Identity.objects.select_for_update(), pk=identity_id)
        if identity.state == "ACCEPTED":
            return JsonResponse({"error": "accepted already"}, status=409)
        identity.state = "ACCEPTED"
        identity.save(update_fields=["state"])
        state = identity.user.coach_state
        state.current_identity = identity
        state.save(update_fields=["current_identity"])
    return JsonResponse({"name": identity.name})
