"""Scores of anyone's predictions of the test SVEs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from svevae.dataset.curves import carries_load
from svevae.dataset.seal import content_digest_of
from svevae.dataset.store import LabelledDataset, open_dataset
from svevae.errors import DataError
from svevae.hdf5 import reading
from svevae.model.metrics import coverage, r2

FAMILIES_APART = ("spinodal", "grains")  # that nobody trains on
OTHER_METALS = "other metals"


def open_frozen(path: Path, digest: str) -> LabelledDataset:
    """The test SVEs. Raises DataError where the file's content is not what was frozen."""
    data = open_dataset(path)
    with reading(path, known=True) as file:
        found = content_digest_of(file)
    if found != digest:
        raise DataError(
            f"{path}: expected the test SVEs of content digest {digest}, received {found}; the"
            " leaderboard has one test set, `dvc pull data.dvc` brings it"
        )
    return data


def in_units_of_the_matrix(values: np.ndarray, data: LabelledDataset) -> np.ndarray:
    """(sve, property) moduli over the matrix's E, stresses over its s0, ratios as they are: so that
    a set of several metals is not explained by naming the metal.
    """
    assert data.laws is not None
    E, _, s0, *_ = data.laws.T
    unit = {"E": E, "yield": s0, "flow": s0}
    columns = [unit.get(name.split("_")[0], np.ones(data.count)) for name in data.names]
    return values / np.stack(columns, axis=1)


def sets_of(data: LabelledDataset) -> dict[str, np.ndarray]:
    """Which SVEs (sve,) are in each set: those of a family in the metal of most SVEs; and those in
    other metals, of the families that are trained on. What carries nearly no load is in none.
    """
    assert data.laws is not None
    assert data.family is not None
    laws, counts = np.unique(data.laws, axis=0, return_counts=True)
    whole = carries_load(data)
    usual = whole & (data.laws == laws[counts.argmax()]).all(axis=1)
    names = np.array(data.families)[data.family]
    apart = np.isin(names, FAMILIES_APART)
    sets = {"all families": usual & ~apart}
    sets |= {name: usual & (names == name) for name in data.families if name not in FAMILIES_APART}
    sets |= {f"{name} (apart)": usual & (names == name) for name in FAMILIES_APART}
    return sets | {OTHER_METALS: whole & ~usual & ~apart}


def read_predictions(path: Path, data: LabelledDataset) -> tuple[np.ndarray, np.ndarray | None]:
    """(sve, property) predictions and, where the table has them, their standard deviations.

    A CSV with a row for each SVE in the order of the file and a column for each property, as
    `svevae predict` writes it: E_x or "E_x [MPa]"; E_x_std for the standard deviations; others are
    passed over. Raises DataError that names the column or row.
    """
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as CSV: {error}") from error
    table.columns = [re.sub(r"\s*\[.*\]$", "", str(name)) for name in table.columns]
    if missing := [name for name in data.names if name not in table.columns]:
        raise DataError(
            f"{path}: expected columns {', '.join(data.names)}, received none of"
            f" {', '.join(missing)}"
        )
    if len(table) != data.count:
        raise DataError(f"{path}: expected {data.count} rows, received {len(table)}")
    if "sve" in table.columns and (table["sve"] != np.arange(data.count)).any():
        row = int(np.argmax(table["sve"].to_numpy() != np.arange(data.count)))
        raise DataError(f"{path}: row {row}: expected sve {row}, received {table['sve'][row]}")
    values = _numbers(path, table, list(data.names))
    std_names = [f"{name}_std" for name in data.names]
    has_std = set(std_names) <= set(table.columns)
    return values, _numbers(path, table, std_names) if has_std else None


def _numbers(path: Path, table: pd.DataFrame, names: list[str]) -> np.ndarray:
    for name in names:
        column = pd.to_numeric(table[name], errors="coerce").to_numpy(float)
        if not np.isfinite(column).all():
            row = int(np.argmin(np.isfinite(column)))
            raise DataError(
                f"{path}: {name}: expected finite numbers, received {table[name][row]} in row {row}"
            )
    return table[names].to_numpy(float)


def scores(
    data: LabelledDataset, predicted: np.ndarray, std: np.ndarray | None
) -> dict[str, dict[str, Any]]:
    """For each of `sets_of`: how many SVEs, mean and worst R2 over the properties, and which is
    the worst; the mean error of the yields in percent; the share inside intervals of 90 %, where
    there are standard deviations.
    """
    true = in_units_of_the_matrix(data.properties.astype(float), data)
    guess = in_units_of_the_matrix(predicted, data)
    spread = None if std is None else in_units_of_the_matrix(std, data)
    yields = [i for i, name in enumerate(data.names) if name.startswith("yield_")]
    found = {}
    for name, inside in sets_of(data).items():
        each = r2(true[inside], guess[inside])
        row: dict[str, Any] = {
            "sves": int(inside.sum()),
            "mean_r2": float(each.mean()),
            "worst_r2": float(each.min()),
            "worst": data.names[int(each.argmin())],
        }
        error = guess[inside][:, yields] / true[inside][:, yields] - 1
        row["yield_error"] = float(100 * np.abs(error).mean())
        if spread is not None:
            row["coverage_90"] = float(coverage(true[inside], guess[inside], spread[inside]).mean())
        found[name] = row
    return found


def as_table(entries: dict[str, dict[str, dict[str, Any]]]) -> str:
    """Mean R2 (and the worst) of each entry on each set, as Markdown."""
    names = list(entries)
    head = ["set", "SVEs", *names]
    lines = [f"| {' | '.join(head)} |", f"| {' | '.join('---' for _ in head)} |"]
    for one in entries[names[0]]:
        cells = [
            f"{entries[name][one]['mean_r2']:.4f} ({entries[name][one]['worst_r2']:.3f})"
            for name in names
        ]
        lines.append(f"| {one} | {entries[names[0]][one]['sves']} | {' | '.join(cells)} |")
    return "\n".join(lines)
