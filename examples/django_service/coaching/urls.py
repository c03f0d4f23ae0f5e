from __future__ import annotations

from django.urls import path

from coaching import views

urlpatterns = [
    path("coachees/<uuid:user_id>", views.coachee),
    path("identities/<uuid:identity_id>/accept", views.accept),
]
