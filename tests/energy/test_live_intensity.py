"""A key for live carbon intensity is honoured, and never waited for."""

import http.server
import json
import threading

import pytest
import requests
from carbontracker.emissions.intensity.fetchers import electricitymaps

from utilities.energy import EnergyMeter, make_tracker

SETTINGS = {
    "location": "DE",
    "api_keys": {"electricitymaps": "the-key"},
    "simulate": {"cpu": 100.0},
}


@pytest.fixture
def provider(monkeypatch):
    """A provider on loopback that answers 123 g/kWh, and what it was asked."""
    asked = []

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers["auth-token"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"carbonIntensity": 123.0}).encode())

        def log_message(self, *arguments):
            """Nothing: stderr is being watched."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/latest"
    monkeypatch.setattr(electricitymaps, "API_URL", address)
    yield asked
    server.shutdown()
    server.server_close()


def test_key_is_honoured(provider, clock, refused_connections, capfd):
    asked = provider
    with EnergyMeter("run", **SETTINGS) as meter:
        clock.advance(36.0)
        updater = meter._tracker.intensity_updater
        while updater.is_alive() and not updater.carbon_intensities_fetches:
            threading.Event().wait(0.005)
    assert asked == [("/latest?zone=DE", "the-key")]
    assert meter.report.intensity == 123.0
    assert meter.report.intensity_source == "live from electricitymaps for DE"
    assert refused_connections == []
    assert capfd.readouterr() == ("", "")


@pytest.fixture
def askers(monkeypatch):
    """A provider that never answers, and the names of the threads that wait for it."""
    names, released = [], threading.Event()

    def silent(*arguments, **keywords):
        names.append(threading.current_thread().name)
        released.wait(10)
        raise requests.ConnectionError

    monkeypatch.setattr(requests, "get", silent)
    yield names
    released.set()


def test_no_meter_waits_for_a_silent_provider(askers, clock):
    with EnergyMeter("run", **SETTINGS) as meter:
        clock.advance(36.0)
    assert meter.report.kwh == pytest.approx(0.001)
    assert "average of DE" in meter.report.intensity_source
    assert "electricitymaps gave no answer" in meter.report.intensity_source
    assert set(askers) <= {"CarbonIntensityThread"}


@pytest.mark.parametrize("epochs", [1, 3])
def test_no_tracker_waits_for_a_silent_provider(askers, clock, epochs):
    """Neither at the end, nor after the first epoch, where carbontracker would predict."""
    tracker = make_tracker(epochs, **SETTINGS)
    tracker.epoch_start()
    clock.advance(36.0)
    tracker.epoch_end()
    assert tracker.report.kwh == pytest.approx(0.001)
    assert set(askers) <= {"CarbonIntensityThread"}


def test_refused_network_falls_back_on_the_packaged_average(clock, capfd):
    with EnergyMeter("run", **SETTINGS) as meter:
        clock.advance(36.0)
        meter._tracker.intensity_updater.stop_event.set()
        meter._tracker.intensity_updater.join(10)
    assert "electricitymaps gave no answer" in meter.report.intensity_source
    assert capfd.readouterr() == ("", "")
