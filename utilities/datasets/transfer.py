"""Download one file over an unreliable network: resumed, with timeouts, and a reason where it fails."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests
import urllib3
from tqdm import tqdm

CHUNK = 1 << 16


class SourceFailed(Exception):
    """Why one source did not yield the data; the next one is asked."""


class TooSlow(SourceFailed):
    """The source answers, but so slowly that the others are asked first."""


class Dropped(SourceFailed):
    """The connection ended early; what arrived is kept."""


@dataclass(frozen=True)
class Timeouts:
    """How long to wait for a source: seconds, bytes per second, number of reconnections."""

    connect: float = 10.0
    stall: float = 20.0
    window: float = 8.0
    min_speed: float = 250e3
    reconnects: int = 5
    npm: float = 1800.0


DEFAULT_TIMEOUTS = Timeouts()


@dataclass
class ResumingDownloader:
    """A downloader for pooch that keeps what arrived in `part` and goes on from there."""

    part: Path
    size: int
    timeouts: Timeouts

    def __call__(self, url: str, output_file: str, _pooch: object) -> None:
        """Complete `part` from the URL and move it to `output_file`; raises `SourceFailed`."""
        for _ in range(self.timeouts.reconnects + 1):
            before = self._received()
            try:
                if before < self.size:
                    self._append(url, before)
            except Dropped:
                if self._received() == before:
                    raise
            if self._received() >= self.size:
                os.replace(self.part, output_file)
                return
        raise Dropped("the connection dropped again and again")

    def _received(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _append(self, url: str, received: int) -> None:
        headers = {"Accept-Encoding": "identity"}
        if received:
            headers["Range"] = f"bytes={received}-"
        timeout = (self.timeouts.connect, self.timeouts.stall)
        try:
            with requests.get(url, headers=headers, stream=True, timeout=timeout) as response:
                start = self._accept(response)
                if start > received:
                    raise SourceFailed("answers with another part of the file than asked for")
                self._copy(response, start, received)
        except (requests.ConnectTimeout, requests.ConnectionError):
            raise SourceFailed("could not connect") from None
        except (requests.Timeout, urllib3.exceptions.ReadTimeoutError):
            raise TooSlow(f"sent nothing for {self.timeouts.stall:.0f} s") from None
        except (requests.RequestException, urllib3.exceptions.HTTPError):
            raise Dropped("the connection dropped") from None

    def _accept(self, response: requests.Response) -> int:
        """Refuse what cannot be the archive; return the offset at which the answer starts."""
        if not response.ok:
            raise SourceFailed(f"answers {response.status_code}")
        if response.headers.get("Content-Type", "").startswith("text/html"):
            raise SourceFailed("answers with a web page")
        start = 0
        total = response.headers.get("Content-Length")
        if response.status_code == requests.codes.partial_content:
            span = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
            if span is None:
                raise SourceFailed("answers with a part of the file and does not say which")
            start, total = int(span[1]), span[2]
        if total and total.isdigit() and int(total) != self.size:
            raise SourceFailed(f"offers a file of {int(total):,} bytes instead of {self.size:,}")
        return start

    def _copy(self, response: requests.Response, start: int, received: int) -> None:
        """Append what lies beyond `received`: a server that ignores Range starts at 0 again."""
        speed = SpeedLimit(self.timeouts)
        bar = tqdm(
            total=self.size,
            initial=start,
            unit="B",
            unit_scale=True,
            unit_divisor=1000,
            desc=urlsplit(response.url).netloc,
            disable=None,
            leave=False,
        )
        position = start
        with bar, self.part.open("ab") as file:
            while chunk := response.raw.read1(CHUNK):
                file.write(chunk[max(received - position, 0) :])
                position += len(chunk)
                bar.update(len(chunk))
                if position > self.size:
                    raise SourceFailed("sends more than the archive holds")
                speed.count(len(chunk))
        if position < self.size:
            raise Dropped("the connection dropped")


class SpeedLimit:
    """Raise `TooSlow` where less than `min_speed` bytes a second arrive through one window."""

    def __init__(self, timeouts: Timeouts) -> None:
        self.timeouts = timeouts
        self.begin, self.bytes = time.monotonic(), 0

    def count(self, number: int) -> None:
        self.bytes += number
        elapsed = time.monotonic() - self.begin
        if elapsed < self.timeouts.window:
            return
        speed = self.bytes / elapsed
        if speed < self.timeouts.min_speed:
            raise TooSlow(f"sends only {speed / 1e3:.0f} kB/s")
        self.begin, self.bytes = time.monotonic(), 0
