"""Which components of this machine can be read, and how far each figure is to be trusted.

Where the uncertainty of a figure comes from (`ComponentRecord.low` and `high`):

nominal power   carbontracker takes half of the processor's nominal power, whatever it does. At most
                it draws all of it, twice the figure. At rest a server's processor draws about 21 %
                of its full power (0.74 W of 3.5 W per virtual CPU, averaged over the processors of
                AWS by the Cloud Carbon Footprint methodology from SPECpower), 0.42 of the figure.
                A processor that is not in carbontracker's table gets the table's mean; the bounds
                then use the 5th and the 95th percentile of the table instead.
NVML            ±5 % of the current draw, by NVIDIA's reference of nvmlDeviceGetPowerUsage.
RAPL            the counters state no error: no bound is drawn.
powermetrics    Apple states no error: no bound is drawn.
simulated       the power is an assumption that the user made: no bound is drawn.

A sensor reads a whole package or a whole card, with all that runs on it (`SHARED`).
"""

from __future__ import annotations

import contextlib
import io
import logging
import math
import subprocess
from itertools import compress

import numpy as np
import pynvml
from carbontracker.components.apple_silicon.powermetrics import AppleSiliconCPU, AppleSiliconGPU
from carbontracker.components.component import Component, component_names, create_components
from carbontracker.components.cpu import generic
from carbontracker.components.cpu.generic import GenericCPU
from carbontracker.components.cpu.intel import IntelCPU
from carbontracker.components.cpu.sim_cpu import SimulatedCPUHandler
from carbontracker.components.gpu.nvidia import NvidiaGPU
from carbontracker.components.gpu.sim_gpu import SimulatedGPUHandler
from carbontracker.components.handler import Handler
from carbontracker.loggerutil import Logger

from utilities.energy.report import ESTIMATED, MEASURED, ComponentRecord

NOMINAL, SIMULATED = "nominal power", "simulated"
SENSORS = {
    NvidiaGPU: ("NVML", MEASURED),
    IntelCPU: ("RAPL", MEASURED),
    AppleSiliconCPU: ("powermetrics", MEASURED),
    AppleSiliconGPU: ("powermetrics", MEASURED),
    GenericCPU: (NOMINAL, ESTIMATED),
    SimulatedCPUHandler: (SIMULATED, ESTIMATED),
    SimulatedGPUHandler: (SIMULATED, ESTIMATED),
}
ASSUMED_UTILISATION = 0.5  # what carbontracker multiplies the nominal power by
IDLE_SHARE = 0.74 / 3.5  # see the table above
NVML_ERROR = 0.05
WHOLE_PROCESSOR = (
    "cpu: no sensor is readable; the estimate is half the nominal power of the whole processor, "
    "also where this machine is given only some of its cores"
)
SHARED = {
    "RAPL": "the counters are those of the whole processor: what others run on it is in the figure",
    "NVML": "the reading is the whole card's: what others run on it is in the figure",
    "powermetrics": "the reading is the whole machine's: what else runs on it is in the figure",
}


class QuietLogger(Logger):
    """carbontracker's logger, which keeps its words for whoever asks logging for them."""

    def _setup(
        self, log_dir: str | None = None, log_prefix: str = "", logger_id: str = "root"
    ) -> tuple[logging.Logger, ...]:
        logger = logging.getLogger(__name__)
        logger.propagate = False
        if not logger.handlers:  # without any, logging would write warnings to stderr
            logger.addHandler(logging.NullHandler())
        return logger, logger, logger


generic.logger = QuietLogger()  # this module makes itself a logger that prints


class Reader(Handler):
    """One of carbontracker's handlers, made safe to read from its thread.

    The devices are added up, because carbontracker 2.4.7 averages over them: two 100 W GPUs would
    count as one. A failed reading is no reading; carbontracker would write down 0 W.
    """

    def __init__(self, handler: Handler):
        super().__init__(pids=[], devices_by_pid=False)
        self.handler = handler
        self.failures = 0
        self.silent: list[str] = []  # cards that give no power, left out
        handler.init()
        self.names = handler.devices()  # NVML can be asked only between init and shutdown

    def init(self) -> None:
        """Do nothing: the handler was initialised when it was tried."""

    def devices(self) -> list[str]:
        return self.names

    def available(self) -> bool:
        return True

    def power_usage(self) -> list[float]:
        """Return the component's power (W) as a list of one, or an empty list."""
        try:
            watts = float(sum(self.handler.power_usage()))
        except Exception:  # a sensor's trouble must never reach the training
            watts = math.nan
        if isinstance(self.handler, IntelCPU) and watts <= 0:
            watts = math.nan  # carbontracker says 0 W where a counter has wrapped around
        if not math.isfinite(watts):
            self.failures += 1
            return []
        return [watts]

    def shutdown(self) -> None:
        with contextlib.suppress(Exception):
            self.handler.shutdown()

    def readable(self) -> bool:
        """Return whether the handler delivers, asked in the cheapest way that its sensor allows."""
        if isinstance(self.handler, IntelCPU):  # a full reading takes a second
            try:
                return bool(self.handler._get_measurements())
            except Exception:
                return False
        if isinstance(self.handler, AppleSiliconCPU | AppleSiliconGPU):
            return _powermetrics_without_password()
        if isinstance(self.handler, NvidiaGPU):
            return self._leave_out_silent_cards(self.handler)
        return bool(self.power_usage())

    def _leave_out_silent_cards(self, handler: NvidiaGPU) -> bool:
        """Keep the cards whose power can be read, and return whether there are any.

        carbontracker reads none at all beside a silent one.
        """
        cards, names = handler._handles, self.names
        read = [_gives_power(card) for card in cards]
        handler._handles, self.names = list(compress(cards, read)), list(compress(names, read))
        self.silent = [name for name, gives in zip(names, read, strict=True) if not gives]
        return any(read)

    def record(self, name: str) -> ComponentRecord:
        sensor, basis = SENSORS[type(self.handler)]
        low, high = _bounds(self.handler)
        return ComponentRecord(name, tuple(self.devices()), sensor, basis, low, high)


def find_components(
    components: str, simulate: dict[str, float] | None = None
) -> tuple[list[Component], list[str]]:
    """Return carbontracker's components that can be read now, and notes on those that cannot.

    Args:
        components: "all", "cpu", "gpu" or "cpu,gpu".
        simulate: watts by component name; used in place of the machine's own components.
    """
    wanted = component_names() if components == "all" else components.replace(" ", "").split(",")
    found, notes = [], []
    for name in wanted:
        # carbontracker's simulated components and its tables announce themselves by print
        with contextlib.redirect_stdout(io.StringIO()):
            component, note = _try_component(name, (simulate or {}).get(name))
        found += [component] if component else []
        notes += [note] if note else []
    return found, notes


def _try_component(name: str, watts: float | None) -> tuple[Component | None, str | None]:
    simulated = (
        {}
        if watts is None
        else {
            f"sim_{name}": f"simulated {name}",
            "sim_cpu_tdp": watts,
            "sim_gpu_watts": watts,
            f"sim_{name}_util": 1.0,
        }
    )
    try:
        component = create_components(name, [], False, QuietLogger(), **simulated)[0]
        if not component.available():
            return None, _nvml_trouble() if name == "gpu" else None
        return _make_readable(component)
    except Exception as error:
        return None, f"{name}: not readable ({type(error).__name__}: {error})"


def _make_readable(component: Component) -> tuple[Component | None, str | None]:
    """Put a `Reader` before the handler, or the nominal power where a processor is unreadable."""
    reader = _open(component.handler)
    if reader is None and component.name == "cpu":
        reader = _open(GenericCPU(pids=[], devices_by_pid=False))
    if reader is None:
        return None, f"{component.name}: present, but its power cannot be read"
    component._handler = reader
    return component, _note_on(component.name, reader)


def _note_on(name: str, reader: Reader) -> str | None:
    """Return what a reader of the report has to know about where a figure comes from."""
    if isinstance(reader.handler, GenericCPU):
        return WHOLE_PROCESSOR
    sensor, _ = SENSORS[type(reader.handler)]
    parts = [SHARED[sensor]] if sensor in SHARED else []
    if reader.silent:
        parts.append(f"{', '.join(reader.silent)} gives no reading and is left out")
    return f"{name}: {'; '.join(parts)}" if parts else None


def _open(handler: Handler) -> Reader | None:
    try:
        reader = Reader(handler)
    except Exception:  # its init failed
        return None
    if reader.readable():
        reader.failures = 0
        return reader
    reader.shutdown()
    return None


def _gives_power(card: object) -> bool:
    try:
        pynvml.nvmlDeviceGetPowerUsage(card)
    except pynvml.NVMLError:
        return False
    return True


def _nvml_trouble() -> str | None:
    """Return why NVML cannot start, or None where there is no NVIDIA driver or no card."""
    handler = NvidiaGPU(pids=[], devices_by_pid=False)
    try:
        handler.init()
        handler.shutdown()
    except pynvml.NVMLError_LibraryNotFound:
        return None
    except pynvml.NVMLError as error:
        return (
            f"gpu: NVIDIA's library is here, but it cannot start ({error}): no GPU is read. "
            "`nvidia-smi` says the same; after an update of the driver, restart the machine"
        )
    return None


def _powermetrics_without_password() -> bool:
    """Return whether sudo lets powermetrics run unasked; carbontracker would wait for a password."""
    command = ["sudo", "-n", "powermetrics", "-n", "1", "-i", "1", "--samplers", "cpu_power"]
    try:
        return subprocess.run(command, capture_output=True, timeout=10).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _bounds(handler: Handler) -> tuple[float, float]:
    """Return the factors between which the true energy lies: see the head of this module."""
    if isinstance(handler, NvidiaGPU):
        return 1 - NVML_ERROR, 1 + NVML_ERROR
    if not isinstance(handler, GenericCPU):
        return 1.0, 1.0
    low, high = IDLE_SHARE / ASSUMED_UTILISATION, 1 / ASSUMED_UTILISATION
    if handler.tdp == handler.average_tdp:
        table = np.array(list(handler.cpu_power_data.values()))
        percentiles = np.percentile(table, (5, 95)) / table.mean()
        low, high = low * percentiles[0], high * percentiles[1]
    return round(float(low), 3), round(float(high), 3)
