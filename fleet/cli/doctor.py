"""`fleet doctor`: what works on this machine, and why the rest does not."""

from __future__ import annotations

import platform
from typing import Annotated, Any

import typer

from fleet.cli import put, put_json
from fleet.settings import Containment
from fleet.version import __version__


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Show which formats, engines and layers of the sandbox work here, and why others do not.

    Exits with 1 if something is broken: an engine that is installed and cannot be used, a format that the settings
    ask for and nothing opens, a kernel without a layer of the sandbox. What is merely not installed is no fault, nor
    what the settings turn off, which is said all the same.
    """
    from fleet import config

    settings = config.load()
    engines = _engines()
    report: dict[str, Any] = {
        "version": __version__,
        "python": platform.python_version(),
        "kernel": platform.release(),
        "engines": list(engines.values()),
        "formats": _formats(engines, settings.limits.formats, frozenset(settings.images.get("formats", ()))),
        "sandbox": [_isolation(settings.containment()), *_sandbox()],
    }
    if as_json:
        put_json(report)
    else:
        _print(report)
    if any(part["state"] == "broken" for name in ("engines", "formats", "sandbox") for part in report[name]):
        raise typer.Exit(1)


Part = dict[str, Any]  # its name, its state (works, off, missing or broken), and a detail


def _engines() -> dict[str, Part]:
    """Each has decoded a sample of every format it opens."""
    from fleet.images.engines import router

    found = {}
    for name in router.ENGINES:
        engine = router.load(name)
        if isinstance(engine, str):
            state, detail = "missing" if isinstance(engine, router.NotInstalled) else "broken", str(engine)
        else:
            try:
                engine.warm_up()
                state, detail = "works", engine.library
            except Exception as error:  # whatever a library that does not work here raises
                state, detail = "broken", f"{engine.library}: {error}"
        found[name] = {"name": name, "state": state, "detail": detail}
    return found


def _formats(engines: dict[str, Part], allowed: frozenset[str], asked: frozenset[str]) -> list[Part]:
    from fleet.images.engines.router import ORDER
    from fleet.images.sniff import FORMATS

    found = []
    for format in FORMATS:
        working = [name for name in ORDER[format] if engines[name]["state"] == "works"]
        if working and format in allowed:
            state, detail = "works", " or ".join(working)
        elif working:
            state, detail = "off", f"{' or '.join(working)} could; formats in [images] of the settings does not name it"
        else:
            state = "broken" if format in asked else "missing"
            detail = "; ".join(engines[name]["detail"] for name in ORDER[format])
        found.append({"name": format, "state": state, "detail": detail})
    never = "ImageMagick would start Ghostscript for it, which its policy here and the sandbox forbid"
    return [*found, {"name": "pdf", "state": "off", "detail": never}]


def _isolation(containment: Containment) -> Part:
    """What the settings make of it; a pool's flags may say otherwise."""
    if containment.isolation == "none":
        return {
            "name": "isolation",
            "state": "off",
            "detail": "NONE: whoever sends a picture is trusted like this user",
        }
    if not containment.contained:
        return {
            "name": "isolation",
            "state": "off",
            "detail": "sandbox is off: a hostile picture has this user's rights",
        }
    per = "each job" if containment.isolation == "job" else "many jobs: a hostile picture sees those after it"
    return {"name": "isolation", "state": "works", "detail": f"a process for {per}"}


def _sandbox() -> list[Part]:
    from fleet.workers import sandbox

    return [
        {"name": offer.layer, "state": "works" if offer.there else "broken", "detail": offer.detail}
        for offer in sandbox.offers()
    ]


def _print(report: dict[str, Any]) -> None:
    put(f"fleet {report['version']}, Python {report['python']}, kernel {report['kernel']}")
    for title in ("engines", "formats", "sandbox"):
        put(title)
        for part in report[title]:
            put(f"  {part['name']:<9} {part['state']:<8} {part['detail']}")
