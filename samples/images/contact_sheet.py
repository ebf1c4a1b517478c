"""One picture with every case: each operation down, each sample across. Made to be looked at.

python samples/images/contact_sheet.py contact-sheet.png
python samples/images/contact_sheet.py --docs docs                the pictures and tables of docs/images.md
"""

from __future__ import annotations

import io
import json
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from PIL import ExifTags, Image, ImageDraw

from fleet.errors import FleetError
from fleet.images import Spec, render, sniff
from fleet.images.options import option_of

SUFFIXES: Final = {"jpeg": ".jpg", "png": ".png", "webp": ".webp", "avif": ".avif", "gif": ".gif"}
HERE: Final = Path(__file__).parent
SAMPLES: Final = (
    *("large.jpg", "kitten-alpha.png", "kitten-palette.png", "kitten-cmyk.jpg", "kitten-grey.jpg", "kitten-p3.jpg"),
    *("kitten-16bit.png", "kitten.avif", "animated.gif", "orientation-6.jpg", "orientation-7.jpg"),
)
BOX: Final[dict[str, Any]] = {"width": 120, "height": 120}
COVER: Final[dict[str, Any]] = {**BOX, "fit": "cover"}
WIDE: Final[dict[str, Any]] = {"width": 120, "height": 50, "fit": "cover"}
CASES: Final[dict[str, dict[str, Any]]] = {
    "inside": BOX,
    "outside": {"width": 80, "height": 80, "fit": "outside"},
    "cover": COVER,
    "contain": {**BOX, "fit": "contain", "background": "#305f6a"},
    "contain-transparent": {**BOX, "fit": "contain", "background": "transparent", "gravity": "south"},
    "fill": {**BOX, "fit": "fill"},
    "gravity-north": {**WIDE, "gravity": "north"},
    "gravity-southeast": {"width": 60, "height": 120, "fit": "cover", "gravity": "southeast"},
    "gravity-smart": {"width": 60, "height": 120, "fit": "cover", "gravity": "smart"},
    "focus": {"width": 60, "height": 120, "fit": "cover", "focus": [0.8, 0.5]},
    "crop": {**BOX, "crop": [100, 50, 220, 200]},
    "enlarge": {**BOX, "crop": [140, 70, 48, 36], "enlarge": True},
    "trim": {**BOX, "trim": 10},
    "rotate-90": {**BOX, "rotate": 90},
    "rotate-15": {**BOX, "rotate": 15, "background": "#ffcc00"},
    "rotate-15-transparent": {**BOX, "rotate": 15, "background": "transparent", "format": "png"},
    "flip": {**BOX, "flip": True},
    "flop": {**BOX, "flop": True},
    "rotate-90-flop": {**BOX, "rotate": 90, "flop": True},
    "blur": {**BOX, "blur": 3},
    "sharpen": {**BOX, "sharpen": 1.5},
    "watermark": {**BOX, "watermark": "logo", "watermark_opacity": 0.8, "watermark_size": 0.3},
    "watermark-north": {**BOX, "watermark": "logo", "watermark_gravity": "north", "watermark_size": 0.4},
    "padding": {"width": 100, "height": 100, "padding": 10, "background": "#ffcc00"},
    "linear": {**BOX, "linear": True},
    "lenient": {**BOX, "lenient": True},  # of half a file
    "jpeg": {**BOX, "format": "jpeg", "background": "#00c000"},
    "quality-10": {**BOX, "format": "jpeg", "quality": 10},
    "jpeg-1500-bytes": {**BOX, "format": "jpeg", "max_bytes": 1500},
    "png-4000-bytes": {**BOX, "format": "png", "max_bytes": 4000},
    "webp": {**BOX, "format": "webp"},
    "avif": {**BOX, "format": "avif"},
    "gif": {**BOX, "format": "gif"},
    "auto": {**BOX, "format": "auto"},
    "animated-webp": {**BOX, "format": "webp", "animated": True},
}
CELL: Final = 124
LABEL: Final = 170
CHECKS: Final = 8  # pixels: a chequered ground shows what is transparent


def logo() -> bytes:
    """A watermark: a white ring with a dark edge on nothing."""
    image = Image.new("RGBA", (240, 120))
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((4, 4, 235, 115), 50, fill="#00000080", outline="#ffffff", width=8)
    draw.text((120, 60), "fleet", fill="#ffffff", anchor="mm", font_size=64)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def made(sample: str, options: dict[str, Any], mark: bytes) -> bytes | str:
    """A result, or why there is none."""
    data = (HERE / sample).read_bytes()
    if options.get("lenient"):
        data = data[: len(data) // 2]
    try:
        return render(data, Spec.from_mapping(options), watermarks={"logo": mark})
    except FleetError as error:
        return str(error)


def sheet() -> Image.Image:
    width, height = LABEL + CELL * len(SAMPLES), 20 + CELL * len(CASES)
    page = Image.new("RGB", (width, height), "#ffffff")
    draw, mark = ImageDraw.Draw(page), logo()
    for column, sample in enumerate(SAMPLES):
        draw.text((LABEL + CELL * column + 2, 4), sample, fill="#000000")
    for row, (name, options) in enumerate(CASES.items()):
        top = 20 + CELL * row
        draw.text((4, top + 50), name, fill="#000000")
        for column, sample in enumerate(SAMPLES):
            place(page, (LABEL + CELL * column, top), made(sample, options, mark))
    return page


def place(page: Image.Image, at: tuple[int, int], result: bytes | str) -> None:
    if isinstance(result, str):
        ImageDraw.Draw(page).multiline_text(
            at, "\n".join(result[n : n + 18] for n in range(0, 126, 18)), fill="#c00000"
        )
        return
    with Image.open(io.BytesIO(result)) as image:
        ground = Image.new("RGB", image.size, "#ffffff")
        for y in range(0, image.height, CHECKS):
            for x in range(y // CHECKS % 2 * CHECKS, image.width, 2 * CHECKS):
                ground.paste("#d0d0d0", (x, y, x + CHECKS, y + CHECKS))
        seen = image.convert("RGBA")
        ground.paste(seen, mask=seen)
        page.paste(ground, at)


# -- The documentation ----------------------------------------------------------------------------------------------

SHOWN_OF: Final = dict.fromkeys(("trim", "contain-transparent", "jpeg", "enlarge"), "kitten-alpha.png")
# Parts of a picture in which there is something.
SHOWN_WITH: Final = {"crop": {"crop": [1100, 300, 1800, 1600]}, "enlarge": {"crop": [370, 262, 60, 45]}}


def document(docs: Path) -> None:
    """Write what docs/images.md shows: a picture for each case, the options, their schema."""
    (docs / "images").mkdir(exist_ok=True)
    mark = logo()
    for name, options in CASES.items():
        shown = {"format": "png" if "transparent" in name else "jpeg", **options, **SHOWN_WITH.get(name, {})}
        result = made(SHOWN_OF.get(name, "large.jpg"), shown, mark)
        assert isinstance(result, bytes), result
        (docs / "images" / f"{name}{SUFFIXES[sniff(result).format]}").write_bytes(result)
    (docs / "spec.schema.json").write_text(json.dumps(Spec.schema(), indent=2) + "\n")
    page = docs / "images.md"
    text = with_part(page.read_text(), "options", table())
    page.write_text(with_part(text, "metadata", metadata()))


def with_part(text: str, name: str, part: str) -> str:
    """The page with this part of it as it is now."""
    before, begin, rest = text.partition(f"<!-- {name} -->\n")
    _, end, after = rest.partition(f"<!-- end of {name} -->\n")
    return before + begin + part + end + after


def table() -> str:
    usual = Spec()
    rows = ["| option | default | |", "|---|---|---|"]
    for field in fields(Spec):
        default = json.dumps(getattr(usual, field.name)).strip('"')
        rows.append(f"| `{field.name}` | `{default}` | {option_of(field).help} |")
    return "\n".join(rows) + "\n"


def metadata() -> str:
    """What a picture says of itself, and what results of it do."""
    source = signed("large.jpg")
    columns = [said_by(data) for data in (source, render(source), render(source, Spec(keep_copyright=True)))]
    rows = ["| | the source | the result | with `keep_copyright` |", "|---|---|---|---|"]
    rows += [f"| {name} | {' | '.join(column.get(name, '') for column in columns)} |" for name in columns[0]]
    return "\n".join(rows) + "\n"


def signed(sample: str) -> bytes:
    """A sample, smaller, with all that its camera wrote, and whose it is."""
    with Image.open(HERE / sample) as image:
        exif, file = image.getexif(), io.BytesIO()
        exif[ExifTags.Base.Copyright] = "The fleet authors"
        image.draft("RGB", (400, 300))
        image.save(file, "JPEG", exif=exif, icc_profile=image.info["icc_profile"])
    return file.getvalue()


def said_by(data: bytes) -> dict[str, str]:
    with Image.open(io.BytesIO(data)) as image:
        exif, profile = image.getexif(), image.info.get("icc_profile")
    own = {tag: value for tag, value in exif.items() if tag not in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)}
    own |= exif.get_ifd(ExifTags.IFD.Exif)
    found = {ExifTags.TAGS[tag]: str(value) for tag, value in sorted(own.items())}
    if place := exif.get_ifd(ExifTags.IFD.GPSInfo):
        found["GPS"] = " ".join(f"{float(place[n + 1][0]):g}°{float(place[n + 1][1]):g}′ {place[n]}" for n in (1, 3))
    return found | ({"colour profile": f"{len(profile)} bytes"} if profile else {})


def main() -> None:
    match sys.argv[1:]:
        case ["--docs", docs]:
            document(Path(docs))
        case [target]:
            sheet().save(target)
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
