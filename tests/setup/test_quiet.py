"""TensorFlow's native messages reach a file, and neither a notebook nor a terminal."""

import os
import subprocess
import sys

from utilities import quiet
from utilities.commands.probes import software

NOISY = """
import os
os.write(2, b"E0000 a native message\\n")
VALUE = 1
"""


def run(tmp_path, code: str) -> subprocess.CompletedProcess:
    """Run Python beside a TensorFlow that writes to descriptor 2 as it is imported."""
    (tmp_path / "tensorflow.py").write_text(NOISY)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )


def test_what_tensorflow_says_at_import_goes_to_the_file_and_python_stays_heard(tmp_path):
    code = "import sys, utilities, tensorflow; print(tensorflow.VALUE, file=sys.stderr)"
    done = run(tmp_path, code)
    assert done.stderr == "1\n"
    assert "E0000 a native message" in (tmp_path / "cache/attention-lab/native.log").read_text()


def test_no_garbage_is_looked_for_while_tensorflow_is_imported(tmp_path):
    (tmp_path / "tensorflow").mkdir()
    (tmp_path / "tensorflow" / "__init__.py").write_text("import gc\nwatched = gc.isenabled()")
    code = "import gc, utilities, tensorflow; print(tensorflow.watched, gc.isenabled())"
    assert run(tmp_path, code).stdout == "False True\n"
    assert run(tmp_path, f"import gc; gc.disable(); {code}").stdout == "False False\n"
    assert run(tmp_path, f"{code}; print(gc.get_freeze_count() > 1000)").stdout.endswith("True\n")


def test_who_only_looks_for_tensorflow_changes_nothing(tmp_path):
    look = "importlib.util.find_spec('tensorflow')"
    done = run(tmp_path, f"import importlib.util, utilities; {look}; import tensorflow")
    assert done.stderr == ""


def test_a_file_that_cannot_be_written_costs_nothing_but_the_file(tmp_path):
    (tmp_path / "cache").write_text("in the way")
    assert run(tmp_path, "import utilities, tensorflow").stderr == ""


def test_a_tensorflow_that_cannot_be_imported_gives_stderr_back(tmp_path):
    (tmp_path / "tensorflow").mkdir()
    (tmp_path / "tensorflow" / "__init__.py").write_text("raise SystemExit(7)")
    code = "import contextlib, sys, utilities\nwith contextlib.suppress(SystemExit): import tensorflow"
    assert run(tmp_path, code + "\nprint('heard', file=sys.stderr)").stderr == "heard\n"


def test_a_long_file_is_begun_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(quiet, "LOG_LIMIT", 10)
    log = tmp_path / "cache/attention-lab/native.log"
    log.parent.mkdir(parents=True)
    log.write_text("x" * (quiet.LOG_LIMIT + 1))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    os.close(quiet.open_log())
    assert log.read_text() == ""


def test_the_doctor_shows_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert "none" in software.native_messages().found
    log = quiet.native_log()
    log.parent.mkdir()
    log.write_text("W0000 first\nE0000 last\n\n")
    found = software.native_messages().found
    assert "2 lines" in found and str(log) in found and "E0000 last" in found
