"""The architecture's own test: imports point down, and the pure modules do no I/O."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "fleet"

# A part may import those listed for it, besides itself.
BASE = {"errors", "backoff", "dial", "settings", "version", "lines", "linux"}
MAY_IMPORT = {
    "errors": set(),
    "backoff": set(),
    "version": set(),
    "lines": set(),
    "linux": set(),
    "settings": {"backoff", "errors"},
    "dial": {"errors", "settings"},
    "protocol": BASE,
    "images": BASE,
    "config_files": {"errors"},
    "config": BASE | {"config_files", "images"},
    "jobserver": BASE | {"protocol"},
    "client": BASE | {"protocol"},
    "workers": BASE | {"protocol"},
    "supervisor": BASE,
    "cli": BASE | {"config", "config_files", "protocol", "images", "jobserver", "client", "workers", "supervisor"},
    "__init__": BASE | {"client", "images", "workers"},
    "__main__": {"cli"},
}
# The doors between neighbours: these modules, and no others, may use the pictures.
DOORS = {
    "client/images.py": {"images"},
    "workers/functions.py": {"images"},
}
PURE = [
    "backoff.py",
    "protocol/*.py",
    *(
        f"jobserver/{name}.py"
        for name in ("agenda", "asked", "broker", "durable", "fields", "functions", "job", "patience")
    ),
    *(
        f"jobserver/{name}.py"
        for name in (
            "pending",
            "question",
            "refusal",
            "retries",
            "schedule",
            "session",
            "tally",
            "terms",
            "text",
            "window",
            "wire",
        )
    ),
    "jobserver/workforce.py",
    "jobserver/gateways/*.py",
    *(f"jobserver/stores/{name}.py" for name in ("__init__", "claims", "rows", "schema")),
    "client/conversation.py",
    "client/dispatch.py",
    "client/reasons.py",
    "client/routing.py",
    "client/task.py",
    "client/terms.py",
    "workers/channel.py",
    "workers/conversation.py",
    "workers/denials.py",
    "workers/environment.py",
    "workers/late.py",
    "workers/sandbox/bpf.py",
    "workers/sandbox/syscalls.py",
    "supervisor/machine.py",
    "supervisor/spec.py",
    "images/options.py",
    "images/spec.py",
    "images/geometry.py",
]
IMPURE = {
    *("asyncio", "logging", "multiprocessing", "os", "pathlib", "random", "secrets", "select", "selectors"),
    *("signal", "socket", "subprocess", "sys", "tempfile", "threading", "time", "uvloop"),
}
PICTURE_MODULES = (
    *("colour", "encode", "finish", "formats", "placeholder", "scaling", "smart", "views", "watermark"),
    *(
        "pipeline",
        "engines/__init__",
        "engines/pillow",
        "engines/remains",
        "engines/vips",
        "engines/wand",
        "engines/webp",
    ),  # the first two for the types alone
)
SERVICES = [f"{part}/{path.name}" for part in ("jobserver", "workers") for path in (PACKAGE / part).glob("*.py")]
SDK = ["workers/__init__.py", "workers/job.py", "workers/worker.py"]
# Too slow to load for `import fleet` and for commands that do not need them, or wanted in one place only.
HOMES = {
    "asyncio": {"client/asynchronous.py", *(set(SERVICES) - set(SDK))},
    "PIL": {f"images/{name}.py" for name in PICTURE_MODULES},
    "wand": {"images/engines/wand.py"},
    "pyvips": {"images/engines/vips.py"},
    "pillow_heif": {"images/engines/heif.py"},
    "fabric": set[str](),  # it is in ops/
    "h11": {"jobserver/gateways/http.py", "jobserver/gateways/http_request.py"},
    "rich": {"cli/pictures.py"},
    "typer": {f"cli/{p.name}" for p in (PACKAGE / "cli").glob("*.py")},
    "uvloop": {"jobserver/server.py", "workers/pool.py"},
}

MODULES = sorted(PACKAGE.rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """The modules a file imports, with the names taken from them, as dotted paths."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} has a relative import; write the layer's name"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def name_of(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def layer_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_point_down(path: Path) -> None:
    layer = layer_of(path)
    allowed = MAY_IMPORT[layer] | {layer} | DOORS.get(name_of(path), set())
    used = {dotted.split(".")[1] for dotted in imports(path) if dotted.startswith("fleet.")}
    assert used <= allowed, f"{name_of(path)} reaches for {used - allowed}"


@pytest.mark.parametrize("path", [p for pattern in PURE for p in PACKAGE.glob(pattern)], ids=name_of)
def test_pure_modules_do_no_io(path: Path) -> None:
    used = {dotted.split(".")[0] for dotted in imports(path)}
    assert not used & IMPURE


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_heavy_libraries_stay_at_home(path: Path) -> None:
    for dotted in imports(path):
        library = dotted.split(".")[0]
        assert name_of(path) in HOMES.get(library, {name_of(path)}), f"{library} is used in {name_of(path)}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_file_fits_in_the_head_and_a_function_on_a_screen(path: Path) -> None:
    source = path.read_text()
    assert source.count("\n") <= 450
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < 60, f"{name_of(path)}: {node.name} is too long"


@pytest.mark.parametrize("path", [p for p in MODULES if p.stat().st_size], ids=name_of)
def test_every_file_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))


def test_every_pure_pattern_still_matches_something() -> None:
    assert all(list(PACKAGE.glob(pattern)) for pattern in PURE)


@pytest.mark.parametrize("path", sorted((ROOT / "ops").rglob("*.py")), ids=lambda path: path.name)
def test_ops_stands_beside_the_package(path: Path) -> None:
    used = set(imports(path))
    assert {dotted.split(".")[1] for dotted in used if dotted.startswith("fleet.")} <= {"errors", "version"}
    if path.name in ("inventory.py", "plan.py"):
        assert not {dotted.split(".")[0] for dotted in used} & IMPURE - {"pathlib"}
    if path.name != "run.py":
        assert not {dotted.split(".")[0] for dotted in used} & {"fabric", "paramiko"}
