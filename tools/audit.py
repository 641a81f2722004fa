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
    status, lines = verdict(pins)
    print("\n".join(lines))
    return status


def verdict(pins: list[dict]) -> tuple[int, list[str]]:
    """Return exit status and lines to print for what pip-audit says about each pin."""
    skipped = [pin for pin in pins if "skip_reason" in pin]
    audited = len(pins) - len(skipped)
    lines = [
        f"{pin['name']} {pin['version']}: {hole['id']}, fixed in {' or '.join(hole['fix_versions'])}"
        for pin in pins
        for hole in pin.get("vulns", [])
    ]
    if lines:
        return VULNERABLE, [*lines, f"{len(lines)} known vulnerabilities; {audited} pins audited."]
    if skipped:
        names = ", ".join(pin["name"] for pin in skipped[:5]) + (", …" if len(skipped) > 5 else "")
        return NOT_ASKED, [
            f"Not audited: the advisory service knows nothing of {len(skipped)} of {len(pins)} pins "
            f"({names}).",
            "A package mirror may answer in its place: try again on a machine with internet access.",
        ]
    return SAFE, [f"No known vulnerability in {audited} pins."]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
