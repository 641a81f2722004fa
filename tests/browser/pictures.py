"""Pictures for the README, kept where `--screenshots DIR` says, and nowhere without it."""

import base64
import html
import io
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Locator, Page

LARGEST = 250_000  # bytes
SIZE = {"width": 1400, "height": 10}  # as high as it gets

# What the kit is, in one picture: captions by column; the tests show what belongs to each.
SEE, WRITE, READ, GET = WALK = (
    "1  See attention at work",
    "2  Write it yourself",
    "3  Read what is wrong, and why",
    "4  Hand it in, get feedback",
)
COLUMNS = ((SEE, GET), (WRITE, READ))

_PAGE = """<style>
  body {{ margin: 0; padding: 20px; background: #f3f4f6; color: #1a1a1a }}
  main {{ display: grid; grid-template-columns: 1fr 1fr; gap: 20px; align-items: start }}
  figure {{ margin: 0; padding: 14px; background: white; border: 1px solid silver; border-radius: 6px }}
  figcaption {{ font: bold 17px "DejaVu Sans", sans-serif; margin-bottom: 10px }}
  img {{ display: block; width: 100% }}
  div {{ display: grid; gap: 20px }}
</style><main>{columns}</main>"""


class Pictures:
    """Keeps screenshots, and puts some of them together into one picture of the walk."""

    def __init__(self, folder: Path | None):
        self.folder = folder
        self.panels: dict[str, bytes] = {}

    def keep(self, page: Page, name: str, *parts: Locator) -> None:
        """Keep what the page shows or, of it, the rectangle around some parts."""
        if self.folder is not None:
            self._write(name, self._shot(page, parts))

    def panel(self, page: Page, caption: str, *parts: Locator) -> None:
        """Keep a part for the picture of the walk, under a caption."""
        if self.folder is not None:
            self.panels[caption] = self._shot(page, parts)

    def compose(self, browser: Browser, name: str) -> None:
        """Put the panels side by side into one picture, once all of them are there."""
        if self.panels.keys() >= set(WALK):
            page = browser.new_page(viewport=SIZE)
            page.set_content(_PAGE.format(columns="".join(map(self._column, COLUMNS))))
            self._write(name, page.screenshot(full_page=True))
            page.close()

    def _column(self, captions: tuple[str, ...]) -> str:
        figures = "".join(
            f"<figure><figcaption>{html.escape(caption)}</figcaption>"
            f'<img src="data:image/png;base64,{base64.b64encode(self.panels[caption]).decode()}">'
            "</figure>"
            for caption in captions
        )
        return f"<div>{figures}</div>"

    def _shot(self, page: Page, parts: tuple[Locator, ...]) -> bytes:
        if not parts:
            return page.screenshot()
        parts[0].evaluate("part => part.scrollIntoView({block: 'start'})")
        boxes = [part.bounding_box() for part in parts]
        left, top = (min(box[side] for box in boxes) for side in ("x", "y"))
        right = max(box["x"] + box["width"] for box in boxes)
        bottom = max(box["y"] + box["height"] for box in boxes)
        assert bottom <= page.viewport_size["height"], "not all of it is in view"
        return page.screenshot(
            clip={"x": left, "y": top, "width": right - left, "height": bottom - top}
        )

    def _write(self, name: str, png: bytes) -> None:
        """Write a picture; one that is too large for the README gets a palette."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / name
        with Image.open(io.BytesIO(png)) as picture:
            whole = picture.convert("RGB")
        whole.save(path, optimize=True)
        if path.stat().st_size > LARGEST:
            whole.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
