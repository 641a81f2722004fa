"""Energies, masses and times in the unit that a reader can picture."""

from __future__ import annotations

UNKNOWN = "unknown"


def energy_unit(largest_kwh: float) -> tuple[float, str]:
    """Return the factor from kWh and the name of the unit in which `largest_kwh` reads well."""
    for factor, unit in ((1.0, "kWh"), (1e3, "Wh")):
        if largest_kwh * factor >= 1:
            return factor, unit
    return 1e6, "mWh"


def format_energy(kwh: float | None) -> str:
    if kwh is None:
        return UNKNOWN
    factor, unit = energy_unit(kwh)
    return f"{kwh * factor:.3g} {unit}"


def format_interval(interval: tuple[float, float] | None) -> str:
    """Return ` (low to high)`, or nothing where the two do not differ."""
    if interval is None or interval[0] == interval[1]:
        return ""
    factor, unit = energy_unit(interval[1])
    return f" ({interval[0] * factor:.3g} to {interval[1] * factor:.3g} {unit})"


def format_carbon(g_co2eq: float | None) -> str:
    if g_co2eq is None:
        return f"{UNKNOWN} CO₂-eq"
    if g_co2eq >= 1000:
        return f"{g_co2eq / 1000:.3g} kg CO₂-eq"
    if g_co2eq >= 1:
        return f"{g_co2eq:.3g} g CO₂-eq"
    return f"{g_co2eq * 1000:.3g} mg CO₂-eq"


def format_seconds(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}"
