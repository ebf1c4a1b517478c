"""What `make demo` does: a fleet comes up, makes thumbnails of a kitten three ways, and goes away again.

It leaves thumb.jpg in the current directory, so that you can look at it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from fleet import Client

SAMPLES = Path(__file__).parents[1] / "samples" / "images"
FLEET = [sys.executable, "-m", "fleet"]
READY_S = 60


def main() -> int:
    kitten = SAMPLES / "large.jpg"
    print("$ fleet up --workers 2 --port 0")
    fleet = subprocess.Popen([*FLEET, "up", "--workers", "2", "--port", "0"], stdout=subprocess.PIPE, text=True)
    try:
        server = wait_until_ready(fleet)
        from_the_command_line(kitten, server)
        from_python(kitten, server)
        from_the_stock_tool(kitten, server)
        run("status", "--servers", server)
    finally:
        fleet.terminate()
        code = fleet.wait(READY_S)
    print(f"The fleet drained and exited with {code}. Look at thumb.jpg.")
    return code


def wait_until_ready(fleet: subprocess.Popen[str]) -> str:
    """The address of the fleet's job server, once all is ready."""
    assert fleet.stdout
    server = ""
    for line in fleet.stdout:
        print(f"  {line}", end="", flush=True)
        if "listening" in line:
            server = line.split()[-1]
        if line == "ready\n":
            return server
    raise SystemExit("the fleet did not come up; its messages are above")


def run(*words: str) -> None:
    print("$ fleet", *words, flush=True)
    subprocess.run([*FLEET, *words], check=True)


def from_the_command_line(kitten: Path, server: str) -> None:
    run("resize", str(kitten), "-o", "thumb.jpg", "--servers", server)
    print(f"  {kitten.stat().st_size / 1e6:.1f} MB became {Path('thumb.jpg').stat().st_size / 1e3:.1f} kB")


def from_python(kitten: Path, server: str) -> None:
    print(f'>>> Client("{server}").resize("{kitten.name}", 64, 64, fit="cover", format="webp").result(timeout=10)')
    with Client(server) as client:
        avatar = client.resize(kitten, 64, 64, fit="cover", format="webp").result(timeout=10)
    print(f"  {avatar!r}")


def from_the_stock_tool(kitten: Path, server: str) -> None:
    """Debian's own `gearman`, if it is here: the fleet speaks its protocol."""
    gearman = shutil.which("gearman")
    if gearman is None:
        print("(The stock gearman tool is not installed: that part of the demo is left out.)")
        return
    host, _, port = server.rpartition(":")
    print(f"$ gearman -h {host} -p {port} -f resize < {kitten.name} > thumb.jpg")
    with kitten.open("rb") as large:
        done = subprocess.run(
            [gearman, "-h", host, "-p", port, "-f", "resize"], stdin=large, stdout=subprocess.PIPE, check=True
        )
    Path("thumb.jpg").write_bytes(done.stdout)
    print(f"  {len(done.stdout) / 1e3:.1f} kB")


if __name__ == "__main__":
    sys.exit(main())
