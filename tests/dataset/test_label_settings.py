"""What a label depends on: materials and settings that are named where they are wrong, known by a
digest, and read again from a file.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from svevae.config import Generate
from svevae.dataset import label_settings
from svevae.dataset.label_settings import (
    draw_material,
    material_choices,
    material_ranges,
    parse_settings,
    read_material,
    read_settings,
)
from svevae.dataset.store import label_record, open_dataset
from svevae.errors import ConfigError
from svevae.physics.elasticity import PRESETS, Material
from svevae.physics.label import Tension
from tests.conftest import ROOT, Run
from tests.dataset.sves import SETTINGS, STRAIN


def test_material_is_a_preset_or_a_mapping() -> None:
    """One that hardens from a yield stress of 0 is none the less a material, as is one that does
    not harden.
    """
    assert read_material("aged-z") == PRESETS["aged-z"]
    assert read_material({"E": 70000, "nu": 0.33, "s0": 0, "Q": 312, "b": 40}) == Material(
        70_000.0, 0.33, 0.0, 312.0, 40.0
    )
    assert read_material({"E": 70000, "nu": 0.33, "s0": 216, "Q": 0, "b": 0}) == Material(
        70_000.0, 0.33, 216.0
    )
    assert (
        read_material({"E": 70000, "nu": 0.33, "s0": 216, "Q": 312, "b": 40})
        == PRESETS["as-built-z"]
    )


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            "steel",
            (
                "material: expected one of as-built-z, as-built-xy, aged-z, printed or a mapping,"
                " received 'steel'"
            ),
        ),
        (3, "material: expected a preset or a mapping of E, nu, s0, Q, b, received 3"),
        (None, "material: expected a preset or a mapping of E, nu, s0, Q, b, received None"),
        (
            {"E": 1, "nu": 0.3, "s0": 1, "Q": 1},
            "material: expected a preset or a mapping of E, nu, s0, Q, b, received {'E': 1",
        ),
        (
            {"E": "7e4", "nu": 0.3, "s0": 1, "Q": 1, "b": 1},
            "material.E: expected a number or [low, high], received '7e4'",
        ),
        (
            {"E": 1, "nu": True, "s0": 1, "Q": 1, "b": 1},
            "material.nu: expected a number or [low, high], received True",
        ),
        (
            {"E": -1, "nu": 0.3, "s0": 1, "Q": 1, "b": 1},
            "material.E: expected a number above 0, received -1",
        ),
        (
            {"E": 0, "nu": 0.3, "s0": 1, "Q": 1, "b": 1},
            "material.E: expected a number above 0, received 0",
        ),
        (
            {"E": float("nan"), "nu": 0.3, "s0": 1, "Q": 1, "b": 1},
            "material.E: expected a number above 0, received nan",
        ),
        (
            {"E": 1, "nu": 0.3, "s0": 0, "Q": 0, "b": 1},
            "material.s0: expected a number above 0 where nothing hardens (Q or b is 0)",
        ),
        (
            {"E": 1, "nu": 0.3, "s0": 0, "Q": 1, "b": 0.0},
            "material.s0: expected a number above 0 where nothing hardens (Q or b is 0)",
        ),
        (
            {"E": 1, "nu": 0.3, "s0": 1, "Q": -1, "b": 1},
            "material.Q: expected a number at least 0, received -1",
        ),
        (
            {"E": 1, "nu": 0.5, "s0": 1, "Q": 1, "b": 1},
            "material.nu: expected a number between -1 and 0.5, received 0.5",
        ),
        (
            {"E": 1, "nu": 0.3, "s0": float("nan"), "Q": 1, "b": 1},
            "material.s0: expected a number at least 0, received nan",
        ),
    ],
)
def test_wrong_material_is_named(value: object, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        read_material(value)
    assert str(error.value).startswith(message)


def test_a_list_of_materials() -> None:
    """One is a list of one; ranges are drawn within, the presets and numbers as they are; labels
    are settled by the first.
    """
    wide = {"E": [60_000, 80_000], "nu": 0.3, "s0": 200, "Q": [0, 100], "b": 40}
    assert material_choices("aged-z") == ["aged-z"]
    assert material_choices(["aged-z", wide]) == ["aged-z", wide]
    assert material_ranges("printed") is None
    assert material_ranges(wide)["E"] == (60_000, 80_000)
    rng = np.random.default_rng(0)
    assert draw_material("aged-z", rng) == PRESETS["aged-z"]
    drawn = [draw_material(wide, rng) for _ in range(20)]
    assert len({material.E for material in drawn}) == 20
    assert all(60_000 <= m.E <= 80_000 and 0 <= m.Q <= 100 and m.s0 == 200 for m in drawn)
    assert draw_material("printed", rng) != draw_material("printed", rng)
    several = label_settings.label_settings(Generate(material=["aged-z", "printed"]))
    assert several == label_settings.label_settings(Generate(material="aged-z"))


@pytest.mark.parametrize(
    "value", ["printed", {"E": [1, 2], "nu": 0.3, "s0": 1, "Q": 1, "b": 1}, ["printed", "aged-z"]]
)
def test_the_first_material_is_of_numbers(value: object) -> None:
    with pytest.raises(ConfigError, match=r"^material: expected one, or as the first of a list"):
        label_settings.label_settings(Generate(material=value))


def test_settings_are_known_by_everything_that_a_label_depends_on() -> None:
    """Each of the four fields changes the digest; the same numbers give the same one."""
    others = [
        replace(SETTINGS, material=PRESETS["aged-z"]),
        replace(SETTINGS, tension=Tension(("x",), STRAIN)),
        replace(SETTINGS, tension=Tension(("x", "z"), STRAIN[1:])),
        replace(SETTINGS, dtype="float64"),
        replace(SETTINGS, tolerance=1e-4),
    ]
    assert len({settings.digest() for settings in [SETTINGS, *others]}) == 6
    assert (
        replace(SETTINGS, material=Material(70_000.0, 0.33, 216.0, 312.0, 40.0)).digest()
        == SETTINGS.digest()
    )


def test_settings_are_read_from_a_file_and_from_json() -> None:
    """Of the dataset that the project labelled itself; not of the one of another code, nor of a
    record that was made otherwise.
    """
    data = open_dataset(ROOT / "data" / "sve_porous_alsi10mg_32.h5")
    settings, record = read_settings(data), json.loads(json.dumps(label_record(data)))
    assert settings.material == PRESETS["as-built-z"]
    assert settings.tension.axes == ("x", "y", "z")
    assert parse_settings(record) == settings
    assert parse_settings(record | {"label_digest": "of another version"}) is None
    assert parse_settings({key: value for key, value in record.items() if key != "tension"}) is None
    assert label_record(open_dataset(ROOT / "data" / "reference_32.h5")) is None


def test_commit_is_of_this_code_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    """Installed inside another project's repository, e.g. in its .venv, svevae does not give that
    project's commit as its own.
    """
    run("git", "init", "-q", cwd=tmp_path)
    run(
        "git",
        "-c",
        "user.name=T",
        "-c",
        "user.email=t@example.org",
        "commit",
        "-qm",
        "theirs",
        "--allow-empty",
        cwd=tmp_path,
    )
    installed = tmp_path / ".venv" / "generate.py"
    installed.parent.mkdir()
    installed.touch()
    monkeypatch.setattr(label_settings, "__file__", str(installed))
    assert label_settings._commit() == ""
    run("git", "add", "-f", installed, cwd=tmp_path)
    run(
        "git",
        "-c",
        "user.name=T",
        "-c",
        "user.email=t@example.org",
        "commit",
        "-qm",
        "ours",
        cwd=tmp_path,
    )
    commit = run("git", "rev-parse", "HEAD", cwd=tmp_path).stdout.strip()
    assert label_settings._commit() == commit
    installed.write_text("changed", encoding="utf-8")
    assert label_settings._commit() == f"{commit}+"
