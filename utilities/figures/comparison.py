"""Two trained models side by side: accuracy, time and energy, in one table and one figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import tf_keras
from IPython.display import display

from utilities.energy.report import EnergyReport
from utilities.energy.units import format_carbon, format_energy, format_seconds
from utilities.figures.energy import compare_energy, describe_energy
from utilities.figures.showing import show_figure
from utilities.models.operations import multiply_adds
from utilities.training.testing import accuracy_of


def compare_runs(
    models: Mapping[str, tf_keras.Model],
    reports: Sequence[EnergyReport],
    test_data: tuple[np.ndarray, np.ndarray],
) -> None:
    """Show what each model reached and what it cost.

    Args:
        models: name of the run → its trained model, from images (B, H, W, C) to logits
            (B, num_classes).
        reports: the energy report of each run, in the same order.
        test_data: images (n, H, W, C) and labels (n, 1) or (n,), the same for all.
    """
    accuracies = [accuracy_of(model, test_data) for model in models.values()]
    operations = [multiply_adds(model, test_data[0][:1]) for model in models.values()]
    display(comparison_table(models, operations, reports, accuracies))
    show_figure(compare_energy(reports, accuracies), describe_energy(reports, accuracies))


def comparison_table(
    models: Mapping[str, tf_keras.Model],
    operations: Sequence[int],
    reports: Sequence[EnergyReport],
    accuracies: Sequence[float],
) -> pd.DataFrame:
    """Return one row a run: size, accuracy, duration, energy, and energy per correct point.

    operations: the multiply-adds of each model for one image.
    """
    rows = {
        name: {
            "parameters": f"{model.count_params():,}",
            "multiply-adds an image": f"{count / 1e6:.1f} million",
            "test accuracy": f"{accuracy:.1%}",
            "duration": format_seconds(report.seconds),
            "energy": f"{format_energy(report.kwh)} ({report.basis})",
            "CO₂-equivalent": format_carbon(report.g_co2eq),
            "energy per correct point": format_energy(report.kwh_per_point(accuracy)),
        }
        for (name, model), count, report, accuracy in zip(
            models.items(), operations, reports, accuracies, strict=True
        )
    }
    return pd.DataFrame.from_dict(rows, orient="index")
