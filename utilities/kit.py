"""Where the kit lies on this machine."""

from __future__ import annotations

from pathlib import Path

KIT = Path(__file__).resolve().parents[1]
