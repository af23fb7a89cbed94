"""`workers.wsgi`: Django and plain WSGI applications as Workers, in a project and in a script."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dosim import Simulation
from dosim.workers import wsgi

CONFIG = {
    "name": "app",
    "main": "src/entry.py",
    "compatibility_date": "2026-11-01",
    "compatibility_flags": ["python_workers"],
    "vars": {"MESSAGE": "My env var"},
}
DJANGO = {
    "entry.py": """
        import os
        from workers import WorkerEntrypoint, wsgi

        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "{site}.settings")
        from {site}.wsgi import application

        class Default(WorkerEntrypoint):
            async def fetch(self, request):
                return await wsgi.fetch(application, request, self.env)
        """,
    "{site}/__init__.py": "",
    "{site}/settings.py": """
        SECRET_KEY = "test"
        ALLOWED_HOSTS = ["*"]
        ROOT_URLCONF = "{site}.urls"
        MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
        INSTALLED_APPS = ["django.contrib.contenttypes", "{site}"]
        DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
        TEMPLATES = [dict(BACKEND="django.template.backends.django.DjangoTemplates", APP_DIRS=True)]
        """,
    "{site}/wsgi.py": """
        from django.core.wsgi import get_wsgi_application

        application = get_wsgi_application()
        """,
    "{site}/models.py": """
        from django.db import models

        class Note(models.Model):
            text = models.TextField()
        """,
    "{site}/urls.py": """
        from django.apps import apps
        from django.http import HttpResponse, JsonResponse
        from django.shortcuts import render
        from django.urls import path

        def root(request):
            env = request.META["workers.env"]
            models = list(apps.get_app_config("{site}").get_models())
            return JsonResponse(dict(site="{site}", env=env.MESSAGE, models=len(models)))

        def echo(request):
            answer = HttpResponse(request.body[::-1], status=201, content_type="text/x-echo")
            answer["x-query"] = request.GET.get("q", "")
            answer.set_cookie("a", "1")
            answer.set_cookie("b", "2")
            return answer

        def page(request, name):
            return render(request, "page.html", dict(name=name))

        urlpatterns = [path("", root), path("echo", echo), path("hi/<str:name>", page)]
        """,
    "{site}/templates/page.html": "<p>Hello {{ name }}",
}


@pytest.fixture
def django(tmp_path: Path) -> Iterator[Callable[..., Simulation]]:
    """A simulation of a Django project; its site package can have another name."""
    before = os.environ.get("DJANGO_SETTINGS_MODULE")

    def build(site: str = "site_a", **options: Any) -> Simulation:
        folder = tmp_path / site
        for path, text in DJANGO.items():
            file = folder / "src" / path.replace("{site}", site)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(textwrap.dedent(text.replace("{site}", site)))
        (folder / "wrangler.jsonc").write_text(json.dumps(CONFIG))
        return Simulation.from_project(folder, **{"network": None, **options})

    yield build
    os.environ.pop("DJANGO_SETTINGS_MODULE", None)
    if before is not None:
        os.environ["DJANGO_SETTINGS_MODULE"] = before


def ask(sim: Simulation, path: str = "/", **options: Any) -> tuple[int, str]:
    """Status and text of a client's request."""
    call = sim.client().fetch(f"https://app.example{path}", **options)
    response = sim.run(call)
    assert call.error is None, call.error
    return response.status, sim.run(response.text())


def script(app: Any) -> Simulation:
    """A simulation of a Worker that is only this application."""
    return Simulation(wsgi.entrypoint(app), network=None, vars={"NAME": "value"})


# -- Django


def test_a_django_project_answers(django: Callable[..., Simulation]) -> None:
    """Its settings, its URLs (imported at the first request), its models and templates, and the bindings."""
    sim = django()

    assert ask(sim) == (200, '{"site": "site_a", "env": "My env var", "models": 1}')
    assert ask(sim, "/hi/Ann") == (200, "<p>Hello Ann")
    assert ask(sim, "/nothing")[0] == 404


def test_a_django_view_reads_the_request(django: Callable[..., Simulation]) -> None:
    """Body, query, status, type and two cookies."""
    sim = django()
    call = sim.client().fetch("https://app.example/echo?q=a%20b", method="POST", body="abc")
    response = sim.run(call)

    assert (response.status, sim.run(response.text())) == (201, "cba")
    assert (response.headers["content-type"], response.headers["x-query"]) == ("text/x-echo", "a b")
    assert [cookie.partition(";")[0] for cookie in response.headers.get_all("set-cookie")] == ["a=1", "b=2"]


def test_each_isolate_has_its_own_django(django: Callable[..., Simulation]) -> None:
    """Two colos load it twice, and two projects keep their settings apart, though Django keeps them in its modules."""
    here = django("site_a", network="earth")
    there = django("site_b")
    cities = [here.client(city).fetch("https://app.example/") for city in ("Tokyo", "London")]

    assert [response.status for response in here.run(*cities)] == [200, 200]
    assert ask(there) == (200, '{"site": "site_b", "env": "My env var", "models": 1}')
    assert ask(here)[1].startswith('{"site": "site_a"')


def test_this_python_has_loaded_no_django(django: Callable[..., Simulation]) -> None:
    """A project's Django is its isolates' alone: afterwards the program around it can configure another."""
    ask(django())

    assert [name for name in sys.modules if name.partition(".")[0] == "django"] == []


# -- the protocol


def test_the_environment_of_a_request() -> None:
    """PEP 3333's names, the path decoded into bytes as characters, repeated headers joined, the bindings."""
    seen: dict[str, Any] = {}

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.update(environ, body=environ["wsgi.input"].read())
        start_response("200 OK", [])
        return [b""]

    headers = [("X-Kind", "a"), ("X-Kind", "b"), ("Content-Type", "text/x-test")]
    sim = script(app)
    sim.run(sim.client().fetch("https://app.example:8443/a%20%C3%BC?q=%20", method="PUT", headers=headers, body="ab"))

    assert (seen["REQUEST_METHOD"], seen["PATH_INFO"], seen["QUERY_STRING"]) == ("PUT", "/a \u00c3\u00bc", "q=%20")
    assert (seen["SERVER_NAME"], seen["SERVER_PORT"], seen["wsgi.url_scheme"]) == ("app.example", "8443", "https")
    assert (seen["CONTENT_TYPE"], seen["CONTENT_LENGTH"], seen["body"]) == ("text/x-test", "2", b"ab")
    assert seen["HTTP_X_KIND"] == "a, b"
    assert "HTTP_CONTENT_TYPE" not in seen
    assert seen["workers.env"].NAME == "value"


def test_what_an_application_returns() -> None:
    """Written parts come first, the iterable is closed, the reason is kept, 204 has no body."""
    closed: list[str] = []

    class Parts:
        def __iter__(self) -> Iterator[bytes]:
            return iter([b"", b"b", b"c"])

        def close(self) -> None:
            closed.append("closed")

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/empty":
            start_response("204 No Content", [])
            return [b"not sent"]
        start_response("200 Fine", [("x-kind", "parts")])(b"a")
        return Parts()

    sim = script(app)
    response = sim.run(sim.client().fetch("https://app.example/"))

    assert (response.status, response.status_text, sim.run(response.text())) == (200, "Fine", "abc")
    assert response.headers["x-kind"] == "parts"
    assert closed == ["closed"]
    assert ask(sim, "/empty") == (204, "")


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/raise", "ValueError: no answer"),
        ("/silent", "The WSGI application did not call start_response()"),
        ("/twice", "start_response() called more than once"),
        ("/late", "KeyError: 'in the middle'"),
    ],
)
def test_errors_of_the_application(path: str, error: str) -> None:
    """What it raises, anywhere, fails the request; so does a missing or a second start_response."""

    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        if environ["PATH_INFO"] == "/raise":
            raise ValueError("no answer")
        if environ["PATH_INFO"] != "/silent":
            start_response("200 OK", [])
        if environ["PATH_INFO"] == "/twice":
            start_response("200 OK", [])
        yield b"a"
        if environ["PATH_INFO"] == "/late":
            raise KeyError("in the middle")

    sim = script(app)
    call = sim.client().fetch(f"https://app.example{path}")

    assert sim.run(call).status == 500
    assert error in str(call.error)


def test_an_error_page_replaces_the_response() -> None:
    """With exc_info, start_response may only come again before anything was started; else it raises that error."""

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        try:
            raise ValueError("first")
        except ValueError:
            start_response("500 Oops", [], sys.exc_info())
        return [b"error page"]

    assert ask(script(app)) == (500, "error page")


def test_it_is_a_module_of_workers_alone(tmp_path: Path) -> None:
    """`import workers.wsgi` works; there is no `wsgi` as there is an `asgi` (SDK)."""
    (tmp_path / "wrangler.jsonc").write_text(json.dumps({**CONFIG, "main": "entry.py"}))
    (tmp_path / "entry.py").write_text("import workers.wsgi\nfrom workers import wsgi\nassert wsgi is workers.wsgi\n")
    assert Simulation.from_project(tmp_path).worker is None

    (tmp_path / "entry.py").write_text("import wsgi\n")
    with pytest.raises(Exception, match="No module named 'wsgi'"):
        Simulation.from_project(tmp_path)
