"""The pages: the catalogue, a scenario, the instances, one of them, and what can be done with it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from scenarios.errors import LibraryError, ScenariosError
from scenarios.library.catalogue.view import outline
from scenarios.library.closure.reach import shown as shown_table
from scenarios.library.instances.changed import InstanceChanges
from scenarios.web.catalogue import Catalogue
from scenarios.web.guard import SESSION_HOURS, Door
from scenarios.web.picture import conversation_of, picture_of
from scenarios.web.problems import Answer
from scenarios.web.rendering import Pages
from scenarios.web.service import Service, list_of

_WAIT_SECONDS = 1.5
ROWS_LISTED = 200
"""Changed rows shown at once; more are only counted."""
INSTANCES_LISTED = 100
Sent = Mapping[str, Any]


class Site:
    """The pages' handlers."""

    def __init__(self, service: Service, pages: Pages, door: Door) -> None:
        self.service = service
        self.pages = pages
        self.door = door
        self.catalogue = Catalogue(service)

    # -- coming in -------------------------------------------------------------------------------------

    def enter(self, request: Request, sent: Sent) -> Response:
        """Trade the one-time token for a session."""
        session = self.door.enter(str(sent.get("token", "")))
        if session is None:
            raise Answer(
                401,
                ScenariosError(
                    "this link was used already, or is not one of ours",
                    hint="open the newest link that the terminal shows; a link lets one browser in, once",
                ),
            )
        response = RedirectResponse("/", 303)
        response.set_cookie(
            self.door.cookie, session, max_age=SESSION_HOURS * 3600, httponly=True, samesite="lax", path="/"
        )
        return response

    # -- the library -----------------------------------------------------------------------------------

    def home(self, request: Request, sent: Sent) -> Response:
        """The catalogue."""
        cards = self.catalogue.cards()
        wanted = {key: str(sent.get(key, "")).strip() for key in ("q", "system", "tag", "phase")}
        shown = [card for card in cards if card.fits(**wanted)]
        return self.pages.render(
            request,
            "catalogue.html",
            cards=cards,
            shown={card.name for card in shown},
            wanted=wanted,
            systems=sorted({card.system for card in cards}),
            tags=sorted({tag for card in cards for tag in card.tags}),
            phases=list(dict.fromkeys(phase for card in cards for phase in card.phases)),
        )

    def scenario(self, request: Request, sent: Sent) -> Response:
        """A scenario as a person wants to see it."""
        name = request.path_params["name"]
        definition = self.service.definition(name)
        given = {key[2:]: value for key, value in sent.items() if key.startswith("p.") and value != ""}
        plan = self.service.plan(definition, given)
        page = _number(sent.get("page"), 1)
        text, language = self.catalogue.source(definition)
        return self.pages.render(
            request,
            "scenario.html",
            scenario=definition,
            head=definition.head,
            anchor=plan.anchor,
            picture=self.catalogue.remembered("picture", plan, page, lambda: picture_of(plan, page)),
            outline=outline(plan),
            values=definition.parameters(given),
            text=text,
            language=language,
            others=[each for each in self.service.loaded() if each.record.scenario == name],
        )

    def conversation(self, request: Request, sent: Sent) -> Response:
        """A page of a conversation."""
        definition = self.service.definition(request.path_params["name"])
        plan = self.service.plan(definition)
        handle = request.path_params["handle"]
        page = _number(sent.get("page"), 0) or None
        found = conversation_of(plan, handle, page)
        if found is None:
            raise Answer(
                404,
                LibraryError(
                    f"there is no conversation of {handle!r} in {definition.name}",
                    hint="the scenario's page lists them",
                ),
            )
        return self.pages.render(request, "conversation.html", scenario=definition, chat=found)

    def load_form(self, request: Request, sent: Sent) -> Response:
        """The form made from a scenario's parameters."""
        definition = self.service.definition(request.path_params["name"])
        return self.pages.render(
            request, "load.html", scenario=definition, head=definition.head, sent=sent, error=None
        )

    def load(self, request: Request, sent: Sent) -> Response:
        """Begin a load; wait a moment for it, then show its progress."""
        definition = self.service.definition(request.path_params["name"])
        try:
            job = self.service.start_load(
                definition.name,
                name=str(sent.get("as_name", "")).strip() or None,
                now=datetime.now(UTC) if sent.get("clock") == "now" else None,
                parameters={
                    key[2:]: value for key, value in sent.items() if key.startswith("p.") and value != ""
                },
            )
            job.done.wait(_WAIT_SECONDS)
            if job.error is not None:
                raise job.error
        except (Answer, ScenariosError) as error:
            shown = error.error if isinstance(error, Answer) else error
            status = error.status if isinstance(error, Answer) else 422
            return self.pages.render(
                request,
                "load.html",
                status=status,
                scenario=definition,
                head=definition.head,
                sent=sent,
                error=shown,
            )
        if job.result is not None:
            return _to_instance(job.result)
        return RedirectResponse(f"/jobs/{job.id}", 303)

    def job(self, request: Request, sent: Sent) -> Response:
        """How far a load is."""
        job = self.service.jobs.get(request.path_params["id"])
        if job is None:
            raise Answer(404, LibraryError("this load is no longer known", hint="see the list of instances"))
        if job.error is not None:
            raise job.error
        if job.result is not None:
            return _to_instance(job.result)
        name = "job_part.html" if sent.get("part") else "job.html"
        return self.pages.render(request, name, job=job, written=job.rows_written())

    # -- instances -------------------------------------------------------------------------------------

    def instances(self, request: Request, sent: Sent) -> Response:
        """The instances; how much has changed is counted when the part is asked for."""
        found = self.service.loaded()
        part = bool(sent.get("part"))
        counts: dict[str, int | None] = {}
        if part:
            for each in found[:INSTANCES_LISTED]:
                try:
                    counts[each.name] = len(self.service.changes(each.name, watching=True))
                except (Answer, ScenariosError):
                    counts[each.name] = None
        return self.pages.render(
            request,
            "instances_part.html" if part else "instances.html",
            found=found[:INSTANCES_LISTED],
            total=len(found),
            counts=counts,
        )

    def instance(self, request: Request, sent: Sent) -> Response:
        """One instance: who exists, and what changed."""
        found = self.service.find(request.path_params["name"])
        instance = self.service.instance(found)
        sheet = instance.sign_in_sheet()
        return self.pages.render(
            request,
            "instance.html",
            found=found,
            instance=instance,
            sheet=sheet,
            people=sheet.people[:100],
            names=[each.name for each in self.service.loaded() if each.name != found.name][:100],
            done=str(sent.get("done", "")),
            in_library=instance.scenario in self.service.library,
        )

    def changes(self, request: Request, sent: Sent) -> Response:
        """The part of an instance's page that is refreshed while one watches."""
        name = request.path_params["name"]
        changes = self.service.changes(name, watching=True)
        response = self.pages.render(request, "changes_part.html", name=name, **_listed(changes))
        tag = f'"{blake2b(bytes(response.body), digest_size=12).hexdigest()}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"etag": tag})
        response.headers["etag"] = tag
        response.headers["cache-control"] = "private, no-cache"
        return response

    def ask(self, request: Request, sent: Sent) -> Response:
        """Ask before data goes, and say what goes."""
        name, action = request.path_params["name"], request.url.path.rpartition("/")[2]
        found = self.service.find(name)
        report = self.service.would_go(name, action)
        return self.pages.render(
            request,
            "ask.html",
            action=action,
            report=report,
            in_the_way=report.in_the_way[:ROWS_LISTED],
            refused=bool(report.blocking(with_added=True)),
            seen=list_of(report.in_the_way),
            found=found,
            instance=self.service.instance(found),
            **_listed(self.service.changes(name)),
        )

    def reset(self, request: Request, sent: Sent) -> Response:
        """Put an instance back."""
        name = request.path_params["name"]
        seen = str(sent.get("with_added", ""))
        self.service.reset(name, with_added=bool(seen), seen=seen or None)
        return _to_instance(name, "reset")

    def unload(self, request: Request, sent: Sent) -> Response:
        """Remove an instance."""
        seen = str(sent.get("with_added", ""))
        name = request.path_params["name"]
        report = self.service.unload(name, with_added=bool(seen), seen=seen or None)
        return self.pages.render(request, "unloaded.html", report=report)

    def freeze_form(self, request: Request, sent: Sent) -> Response:
        """Ask what the new scenario is called."""
        found = self.service.find(request.path_params["name"])
        return self.pages.render(request, "freeze.html", found=found, sent=sent, error=None)

    def freeze(self, request: Request, sent: Sent) -> Response:
        """Freeze an instance and show what came of it."""
        name = request.path_params["name"]
        try:
            number, _ = self.service.freeze(
                name,
                as_name=str(sent.get("as_name", "")).strip(),
                anonymise=sent.get("anonymise") == "yes",
                title=str(sent.get("title", "")).strip()[:200],
                with_added=sent.get("with_added") == "yes",
            )
        except ScenariosError as error:
            found = self.service.find(name)
            return self.pages.render(request, "freeze.html", status=422, found=found, sent=sent, error=error)
        return RedirectResponse(f"/frozen/{number}", 303)

    def frozen(self, request: Request, sent: Sent) -> Response:
        """The preview of a frozen scenario, or its file."""
        number = request.path_params["number"]
        frozen = self.service.frozen(number)
        if sent.get("download"):
            name = f"{frozen.definition.name}.yaml"
            return Response(
                frozen.text,
                media_type="application/yaml; charset=utf-8",
                headers={"content-disposition": f'attachment; filename="{name}"'},
            )
        return self.pages.render(
            request, "frozen.html", frozen=frozen, number=number, save_to=self.service.save_to
        )

    def save(self, request: Request, sent: Sent) -> Response:
        """Save a frozen scenario into the library."""
        frozen = self.service.frozen(request.path_params["number"])
        self.service.save(frozen)
        return RedirectResponse(f"/scenarios/{frozen.definition.name}", 303)

    def diff(self, request: Request, sent: Sent) -> Response:
        """Two instances side by side, as far as they differ."""
        one, other = str(sent.get("one", "")), str(sent.get("other", ""))
        names = [each.name for each in self.service.loaded()]
        lines: list[tuple[str, str]] | None = None
        if one and other:
            lines = _differing(*self.service.differences(one, other))
        return self.pages.render(request, "diff.html", names=names, one=one, other=other, lines=lines)

    def doctor(self, request: Request, sent: Sent) -> Response:
        """What is there, and what it costs here."""
        found = self.catalogue.diagnosis(again=bool(sent.get("again")))
        return self.pages.render(request, "doctor.html", found=found)


def _listed(changes: InstanceChanges) -> dict[str, Any]:
    """Return what the templates show of *changes*."""
    tables: dict[str, list[Any]] = {}
    for row in changes.rows[:ROWS_LISTED]:
        schema, _, table = row.change.table.partition(".")
        tables.setdefault(shown_table((schema, table)), []).append(row)
    totals = {"inserted": 0, "updated": 0, "deleted": 0}
    for counts in changes.counts.values():
        for op, count in counts.items():
            totals[op] += count
    return {
        "changes": changes,
        "tables": tables,
        "totals": totals,
        "more": max(0, len(changes) - ROWS_LISTED),
    }


def _differing(one: str, other: str) -> list[tuple[str, str]]:
    lines: list[tuple[str, str]] = []
    for line in difflib.unified_diff(one.splitlines(), other.splitlines(), lineterm="", n=4):
        if line.startswith(("---", "+++")):
            continue
        kind = {"+": "added", "-": "removed", "@": "place"}.get(line[0], "same")
        lines.append((kind, "…" if kind == "place" else line))
        if len(lines) > 2000:
            lines.append(("place", "… and more"))
            break
    return lines


def _to_instance(name: str, done: str = "") -> Response:
    return RedirectResponse(f"/instances/{quote(name, safe='')}{f'?done={done}' if done else ''}", 303)


def _number(value: Any, default: int) -> int:
    text = str(value or "")
    return int(text) if text.isdigit() and len(text) < 7 else default
