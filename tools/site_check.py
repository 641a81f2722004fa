"""Look at the built site: every link leads to a page and a place on it, and nothing is fetched."""

import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup, Tag

FETCHED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
NOT_FETCHED = {"canonical", "alternate", "next", "prev", "search", "index", "genindex", "author"}


def main() -> int:
    """Print what is wrong with the site in the folder that is named."""
    found = list(faults(Path(sys.argv[1])))
    print("\n".join(found) or "Every link of the site leads somewhere, and nothing is fetched.")
    return 1 if found else 0


def faults(folder: Path) -> Iterator[str]:
    """Yield what is wrong: broken links, addresses that would be fetched, what readers need."""
    pages = {
        path.resolve(): BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        for path in sorted(folder.rglob("*.html"))
    }
    places = {path: {tag["id"] for tag in page.find_all(id=True)} for path, page in pages.items()}
    for path, page in pages.items():
        name = path.relative_to(folder.resolve())
        yield from (f"{name}: {fault}" for fault in _of_page(page, name.name == "search.html"))
        for address in _addresses(page):
            if fault := _broken(address, path, places):
                yield f"{name}: {address} {fault}"


def _of_page(page: BeautifulSoup, written_by_script: bool) -> Iterator[str]:
    if not (page.html and page.html.get("lang")):
        yield "does not say its language"
    if len(page.find_all("h1")) != 1 and not written_by_script:
        yield "has not one heading of the first rank"
    for image in page.find_all("img"):
        if image.get("alt") is None:
            yield f"an image without alternative text: {str(image)[:80]}"
    for tag in page.find_all(list(FETCHED)):
        address = tag.get(FETCHED[tag.name], "")
        if urlsplit(address).scheme in ("http", "https") and not _only_named(tag):
            yield f"fetches {address}"


def _only_named(tag: Tag) -> bool:
    return tag.name == "link" and bool(NOT_FETCHED & set(tag.get("rel", [])))


def _addresses(page: BeautifulSoup) -> Iterator[str]:
    """Yield the addresses within the site."""
    for tag in page.find_all(["a", *FETCHED]):
        address = tag.get("href") or tag.get("src") or ""
        parts = urlsplit(address)
        if address and not parts.scheme and not parts.netloc:
            yield address


def _broken(address: str, page: Path, places: dict[Path, set[str]]) -> str:
    parts = urlsplit(address)
    there = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if not there.exists():
        return "leads nowhere"
    part = unquote(parts.fragment)
    if part and there in places and part not in places[there]:
        return "leads to no place on its page"
    return ""


if __name__ == "__main__":
    sys.exit(main())
