"""Reports: saved and read back, compared, described and tabled."""

import json

import numpy as np
import pytest
from matplotlib.colors import to_hex

from utilities.commands.lab import main as lab
from utilities.energy import EnergyReport
from utilities.energy.equivalents import energy_equivalents
from utilities.energy.report import ComponentRecord, Span
from utilities.energy.units import format_carbon, format_energy, format_interval, format_seconds
from utilities.figures.energy import compare_energy, describe_energy

CPU = ComponentRecord("cpu", ("AMD EPYC",), "nominal power", "estimated", 0.4, 2.0)
GPU = ComponentRecord("gpu", ("H200",), "NVML", "measured", 0.95, 1.05)


def report_of(label="ViT", components=(CPU, GPU), epochs=2, **changes):
    kwh = {component.name: 0.001 for component in components}
    fields = {
        "label": label,
        "components": tuple(components),
        "epochs": tuple(Span(36.0, kwh) for _ in range(epochs)),
        "outside_epochs": Span(0.0, dict.fromkeys(kwh, 0.0)),
        "intensity": 400.0,
        "intensity_source": "given by the user",
        "pue": 1.0,
        "interrupted": False,
        "notes": (),
        "started": "2026-01-01T00:00:00+00:00",
        "software": "carbontracker 2.4.7",
    }
    return EnergyReport(**{**fields, **changes})


def test_sums_keep_measured_and_estimated_apart():
    report = report_of()
    assert report.measured_kwh == report.estimated_kwh == pytest.approx(0.002)
    assert report.kwh == pytest.approx(0.004) and report.g_co2eq == pytest.approx(1.6)
    assert report.kwh_interval == pytest.approx((0.002 * 1.35, 0.002 * 3.05))
    assert report.basis == "partly measured"


@pytest.mark.parametrize("components", [(CPU, GPU), (CPU,), ()])
def test_round_trip(tmp_path, components):
    report = report_of(components=components, notes=("a note",), interrupted=True)
    path = report.save(tmp_path / "runs" / "vit.json")
    assert EnergyReport.load(path) == report
    assert [file.name for file in path.parent.iterdir()] == ["vit.json"]


def test_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = report_of("old").save(tmp_path / "vit.json")

    def fail(*arguments):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        report_of("new").save(path)
    assert EnergyReport.load(path).label == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["vit.json"]


def damaged(**changes):
    """A saved report's text with some of its fields replaced; None removes a field."""

    def text(saved):
        content = {**json.loads(saved), **changes}
        return json.dumps({key: value for key, value in content.items() if value is not None})

    return text


BAD_FILES = {
    "not JSON": lambda saved: saved[:40],
    "not an energy report": lambda saved: "[1, 2]",
    "not an energy report ": damaged(format="something else"),
    "damaged": damaged(intensity=None),
    "damaged ": damaged(intensity="high"),
    "negative": damaged(outside_epochs={"seconds": 1.0, "kwh": {"cpu": -1.0, "gpu": 0.0}}),
    "not finite": damaged(outside_epochs={"seconds": float("nan"), "kwh": {"cpu": 0, "gpu": 0}}),
    "other components": damaged(outside_epochs={"seconds": 1.0, "kwh": {"cpu": 1.0}}),
    "damaged  ": damaged(epochs=3),
    "label": damaged(label=["ViT"]),
}


@pytest.mark.parametrize("reason", BAD_FILES)
def test_bad_file_is_one_clear_error(tmp_path, capsys, reason):
    good = report_of().save(tmp_path / "good.json")
    bad = tmp_path / "bad.json"
    bad.write_text(BAD_FILES[reason](good.read_text()))
    with pytest.raises(ValueError, match=f"bad.json: .*{reason.strip()}"):
        EnergyReport.load(bad)
    assert lab(["energy", str(good), str(bad)]) == 2
    output = capsys.readouterr()
    assert output.out == "" and output.err.startswith("lab energy: ")
    assert output.err.count("\n") == 1 and "bad.json" in output.err


def test_missing_file(tmp_path, capsys):
    assert lab(["energy", str(tmp_path / "none.json")]) == 2
    assert "none.json: cannot be read (No such file or directory)" in capsys.readouterr().err


def test_table(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    files = [
        report_of("ViT [bold]").save(tmp_path / "a.json"),
        report_of("CNN", components=(CPU,), epochs=1, notes=("a note",)).save(tmp_path / "b.json"),
        report_of("dark", components=()).save(tmp_path / "c.json"),
    ]
    assert lab(["energy", "--epochs", *map(str, files)]) == 0
    output, error = capsys.readouterr()
    rows = [
        [cell.strip() for cell in line.split("│")[1:-1]]
        for line in output.splitlines()
        if line.startswith("│")
    ]
    table = {row[0]: row[1:8] for row in rows if row[0]}
    assert table["ViT [bold]"] == ["2", "0:01:12", "2", "2", "4", "2.7 to 6.1", "1.6 g CO₂-eq"]
    assert table["CNN"] == ["1", "36.0 s", "–", "1", "1", "0.4 to 2", "400 mg CO₂-eq"]
    assert table["dark"][2:6] == ["–", "–", "unknown", "–"]
    sums = next(cells for name, cells in table.items() if name.startswith("all 2"))
    assert sums[:5] == ["3", "0:01:48", "2", "3", "5"]
    assert sum(name.startswith("epoch") for name in (row[0] for row in rows)) == 5
    assert "a note (CNN)" in output and error == ""


def test_figure_shows_each_part_and_its_uncertainty():
    reports = [report_of("ViT"), report_of("CNN", components=(CPU,), epochs=1)]
    energy, per_point = compare_energy(reports, accuracies=[0.5, 0.8]).axes
    assert [tick.get_text() for tick in energy.get_yticklabels()] == ["ViT", "CNN"]
    assert [bar.get_width() for bar in energy.patches] == pytest.approx([2.0, 2.0, 0.0, 1.0])
    assert energy.get_xlabel() == "Wh" and per_point.get_xlabel() == "mWh"
    whiskers = [
        container.lines[2][0].get_segments()[0][:, 0]
        for container in energy.containers
        if hasattr(container, "has_xerr")
    ]
    assert np.allclose(whiskers, [[2.7, 6.1], [0.4, 2.0]])
    totals = [bar.get_x() + bar.get_width() for bar in per_point.patches][1::2]
    assert totals == pytest.approx([4000 / 50, 1000 / 80])
    assert {to_hex(bar.get_facecolor()) for bar in energy.patches} == {"#0072b2", "#e69f00"}
    assert energy.patches[1].get_hatch() and not energy.patches[0].get_hatch()
    legend = [text.get_text() for text in energy.get_legend().get_texts()]
    assert legend == ["measured", "estimated", "uncertainty"]


def test_unknown_energy_is_written_not_drawn():
    figure = compare_energy([report_of("dark", components=())], accuracies=[0.0])
    for axes in figure.axes:
        assert not axes.patches
        assert [text.get_text().strip() for text in axes.texts] == ["unknown"]
    figure.canvas.draw()


def test_description_says_what_the_figure_shows():
    reports = [report_of("ViT"), report_of("dark", components=())]
    text = describe_energy(reports, accuracies=[0.5, 0.1])
    assert "ViT: 4 Wh partly measured (2.7 to 6.1 Wh), 1.6 g CO₂-eq, 0:01:12" in text
    assert "accuracy 50.0 %, 80 mWh per correct percentage point" in text
    assert "dark: no component was readable, energy unknown." in text


@pytest.mark.parametrize(
    "reports, accuracies, hint",
    [([], None, "no report"), (1, [0.5, 0.5], "1 report.* 2 accuracies"), (1, [55.0], "fractions")],
)
def test_comparison_refuses_what_does_not_fit(reports, accuracies, hint):
    reports = [report_of()] if reports else []
    for function in (compare_energy, describe_energy):
        with pytest.raises(ValueError, match=hint):
            function(reports, accuracies)


def test_equivalents_follow_from_their_sources():
    lamp, water, car = energy_equivalents(kwh=0.01, g_co2eq=106.8)
    assert lamp.text == "1 h of a 10 W lamp"
    assert water.text == "108 mL of water boiled"  # 36 kJ / (4.186 J/(g K) · 80 K)
    assert car.text == "1 km by car" and "106.8 g/km" in car.source


def test_units():
    assert [format_energy(kwh) for kwh in (2.0, 0.5, 5e-4, 5e-7, None)] == [
        "2 kWh",
        "500 Wh",
        "500 mWh",
        "0.5 mWh",
        "unknown",
    ]
    assert [format_carbon(grams) for grams in (1500.0, 2.0, 0.002)] == [
        "1.5 kg CO₂-eq",
        "2 g CO₂-eq",
        "2 mg CO₂-eq",
    ]
    assert format_interval((1.0, 1.0)) == "" and format_interval((5e-4, 2e-3)) == " (0.5 to 2 Wh)"
    assert [format_seconds(seconds) for seconds in (1.25, 61.0, 3661.4)] == [
        "1.2 s",
        "0:01:01",
        "1:01:01",
    ]
