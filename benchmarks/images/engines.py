"""Every engine at every format it opens: the table by which the router picks. python -m benchmarks.images.engines"""

from __future__ import annotations

import io
import time
from typing import Final

from PIL import Image

from benchmarks.measure import SAMPLES, in_turn
from fleet.images import Limits, Spec, render
from fleet.images.engines import router
from fleet.images.sniff import FORMATS, sniff

ROUNDS: Final = 5
SIDES: Final = {"12 MP": (4000, 3000), "1 MP": (1200, 900), "0.1 MP": (400, 300)}
SAVED: Final[dict[str, dict[str, object]]] = {
    "jpeg": {"quality": 90},
    "png": {},
    "webp": {"quality": 80},
    "gif": {},
    "avif": {"quality": 60, "speed": 8},
    "tiff": {"compression": "tiff_lzw"},
}


def milliseconds(data: bytes, engine: str) -> float:
    """Of processor time, to a PNG of 100x75."""
    limits = Limits(source_bytes=1 << 30, formats=frozenset(FORMATS))
    began = time.process_time()
    render(data, Spec(100, 75, format="png", engine=engine), limits, facts=False)
    return (time.process_time() - began) * 1000


def main() -> None:
    large = Image.open(SAMPLES / "large.jpg").convert("RGB")
    print("to 100x75, the least processor time of a picture, ms")
    for name, size in SIDES.items():
        picture = large.resize(size)
        for format, options in SAVED.items():
            file = io.BytesIO()
            (picture.quantize(256) if format == "gif" else picture).save(file, format, **options)
            data = file.getvalue()
            engines = [e for e in router.ORDER[format] if not isinstance(router.load(e), str)]
            figures = in_turn(ROUNDS, *(lambda e=e, data=data: milliseconds(data, e) for e in engines))
            chosen = router.engine_for(sniff(data, FORMATS)).name
            text = ", ".join(f"{e} {min(found):.1f}" for e, found in zip(engines, figures, strict=True))
            print(f"  {name:<8} {format:<6} {text}; the router picks {chosen}")


if __name__ == "__main__":
    main()
