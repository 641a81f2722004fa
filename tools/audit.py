"""Ask the advisory service about every pin of requirements.lock: `make audit`.

pip-audit by itself says "no known vulnerabilities" also where the service knew none of the
packages, as behind a mirror that has no advisories; which is reported as such.
"""

import json
import subprocess
import sys
from pathlib import Path

LOCK = Path(__file__).resolve().parents[1] / "requirements.lock"
SAFE, VULNERABLE, NOT_ASKED = 0, 1, 2
# Advisories that do not touch the kit: the advisory's id, and why. One whose pin has gone is told.
IGNORED: dict[str, str] = {}


def main(options: list[str]) -> int:
    """Run pip-audit with further options, print what it found, and return the exit status."""
    command = ["pip_audit", "-r", str(LOCK), "--no-deps", "--disable-pip", "-f", "json", *options]
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, check=False)
    try:
        pins = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        last = (done.stderr.strip().splitlines() or ["pip-audit said nothing"])[-1]
        print(f"Not audited: the advisory service cannot be reached ({last[:200]}).")
        print("Try again on a machine with internet access.")
        return NOT_ASKED
    status, lines = verdict(pins, IGNORED)
    print("\n".join(lines))
    return status


def verdict(pins: list[dict], ignored: dict[str, str]) -> tuple[int, list[str]]:
    """Return exit status and lines to print for what pip-audit says about each pin.

    ignored: reasons by advisory; they are told, and do not count.
    """
    skipped = [pin for pin in pins if "skip_reason" in pin]
    audited = len(pins) - len(skipped)
    holes = [(pin, hole) for pin in pins for hole in pin.get("vulns", [])]
    known = [
        f"{pin['name']} {pin['version']}: {hole['id']} ignored: {ignored[hole['id']]}"
        for pin, hole in holes
        if hole["id"] in ignored
    ]
    gone = sorted(set(ignored) - {hole["id"] for _, hole in holes})
    known += [f"{name} is ignored, and no pin has it: take it off the list" for name in gone]
    lines = [
        f"{pin['name']} {pin['version']}: {hole['id']}, fixed in {' or '.join(hole['fix_versions'])}"
        for pin, hole in holes
        if hole["id"] not in ignored
    ]
    if lines:
        said = f"{len(lines)} known vulnerabilities; {audited} pins audited."
        return VULNERABLE, [*known, *lines, said]
    if skipped:
        names = ", ".join(pin["name"] for pin in skipped[:5]) + (", …" if len(skipped) > 5 else "")
        return NOT_ASKED, [
            f"Not audited: the advisory service knows nothing of {len(skipped)} of {len(pins)} pins "
            f"({names}).",
            "A package mirror may answer in its place: try again on a machine with internet access.",
        ]
    return SAFE, [*known, f"No known vulnerability that counts in {audited} pins."]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
