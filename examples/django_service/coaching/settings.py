from __future__ import annotations

SECRET_KEY = "for the example only"
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "coach"}}
INSTALLED_APPS = ["django.contrib.postgres", "coaching"]
ROOT_URLCONF = "coaching.urls"
ALLOWED_HOSTS = ["testserver"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
