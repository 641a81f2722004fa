"""Everyday amounts that take as much energy as a run, or emit as much carbon."""

from __future__ import annotations

from dataclasses import dataclass

from carbontracker.emissions.conversion import co2eq

LAMP_WATTS = 10.0
# specific heat of liquid water, 4.186 kJ/(kg K), from 20 to 100 °C, in kWh per kg
BOILING_KWH_PER_LITRE = 4.186 * (100 - 20) / 3600


@dataclass(frozen=True)
class Equivalent:
    """An everyday amount that takes as much energy, or emits as much, and where it comes from."""

    text: str
    source: str


def energy_equivalents(kwh: float, g_co2eq: float) -> list[Equivalent]:
    """Return everyday equivalents of an energy in kWh and of its carbon in g CO2-eq.

    The car is carbontracker's own conversion; the lamp and the kettle are physics.
    """
    car = co2eq.CONVERSION_DF.iloc[-1]
    equivalents = [
        Equivalent(
            f"{_duration(kwh * 1000 / LAMP_WATTS)} of a {LAMP_WATTS:.0f} W lamp",
            f"lamp: a {LAMP_WATTS:.0f} W LED",
        ),
        Equivalent(
            f"{_volume(kwh / BOILING_KWH_PER_LITRE)} of water boiled",
            "water: heated from 20 to 100 °C at 4.186 kJ/(kg K), without losses",
        ),
    ]
    for kilometres, _ in co2eq.convert(g_co2eq):
        equivalents.append(
            Equivalent(
                f"{_distance(kilometres)} by car",
                f"car: {car['gCO2eq_per_unit']:g} g/km, the average new car in the EU of 2024 (EEA)",
            )
        )
    return equivalents


def _duration(hours: float) -> str:
    if hours < 1 / 60:
        return f"{hours * 3600:.3g} s"
    return f"{hours * 60:.3g} min" if hours < 1 else f"{hours:.3g} h"


def _volume(litres: float) -> str:
    return f"{litres * 1000:.3g} mL" if litres < 1 else f"{litres:.3g} L"


def _distance(kilometres: float) -> str:
    if kilometres < 1e-3:
        return f"{kilometres * 1e5:.3g} cm"
    return f"{kilometres * 1000:.3g} m" if kilometres < 1 else f"{kilometres:.3g} km"
