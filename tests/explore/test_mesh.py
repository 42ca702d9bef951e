"""The mesh of a page: filled as the command fills it, from a volume or a sampled part; its deck,
the SVEs of its elements, what is refused. A stand-in encodes the porosity.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from svevae.dataset.store import open_dataset
from svevae.errors import DataError
from svevae.explore.mesh import SAMPLED, Choice, MeshSession, pores_of
from svevae.scans.options import ImportOptions
from svevae.scans.view import View
from svevae.use import field, mesh_sample
from svevae.use.field import Tiles
from svevae.use.mesh_options import MeshOptions
from svevae.use.on_mesh import deck_file
from tests.explore.meshes import curves_too, filled, moved, porosity, session, text_of, volume
from tests.meshes.bars import bar
from tests.use.test_field import VOLUME
from tests.use.test_on_mesh import write_process

EACH = [porosity(x, y, z) for x in range(2) for y in range(2) for z in range(2)]


def test_each_element_has_its_sve() -> None:
    """And the predictions of the stand-in for it."""
    found = filled()
    share = np.array(EACH)
    np.testing.assert_allclose(found.values["porosity"], share)
    np.testing.assert_allclose(found.values["E"], 70e3 * (1 - share))
    np.testing.assert_allclose(found.values["yield_std"], 2.4 * (1 - share))
    np.testing.assert_allclose(found.values["novelty"], share)
    assert found.summary == "mesh.inp: 8 elements, 27 nodes, 8 SVEs"
    assert found.boxes == (
        "mesh from 0, 0, 0 to 0.08, 0.08, 0.08 mm",
        "scan from 0, 0, 0 to 0.1, 0.08, 0.09 mm",
    )
    assert not found.notes


def test_a_volume_is_placed() -> None:
    """In micrometres, and the mesh beside it by an SVE along x; elements beyond are told."""
    mesh = moved(bar("C3D8", (2, 2, 2), 0.04), 0.04, 1000.0)
    found = filled(mesh, unit="um", origin=(40.0, 0.0, 0.0))
    np.testing.assert_allclose(found.values["porosity"], EACH)
    found = filled(mesh, unit="um")
    np.testing.assert_allclose(found.values["porosity"][:4], EACH[4:])
    [note] = filled(moved(mesh, 40.0), unit="um").notes
    assert note == (
        "4 elements without material have that of the nearest SVE: 4 outside the scan: 35, 42, 49,"
        " 56"
    )


def test_units() -> None:
    """The same bar in each: the same SVEs, and forces in newtons."""
    mesh = bar("C3D8", (2, 2, 2), 0.04)
    for unit, times in (("um", 1000.0), ("cm", 0.1), ("m", 0.001)):
        found = filled(moved(mesh, 0.0, times), unit=unit)
        np.testing.assert_allclose(found.values["porosity"], EACH)
        assert (
            found.boxes[0] == f"mesh from 0, 0, 0 to {', '.join(3 * [f'{0.08 * times:g}'])} {unit}"
        )


def test_how_far_it_is() -> None:
    """The SVEs of the volume, layer by layer; the next filling begins anew."""
    page = session()
    assert page.progress is None
    page.fill(Choice(), volume())
    assert page.progress is not None
    before = page.progress
    assert (before._done, before._total) == (18, 18)
    page.fill(Choice(), volume())
    assert page.progress is not before


def test_boxes_that_do_not_overlap_are_told_both() -> None:
    mesh = moved(bar("C3D8", (2, 2, 2), 0.04), 0.0, 1000.0)
    page = session(moved(mesh, 200.0))
    with pytest.raises(DataError, match=r"^mesh.inp: expected elements in the scan, received a me"):
        page.fill(Choice(), volume())
    assert page.filled is None


def test_the_deck_is_that_of_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of its three files, to the byte, and the table of a sampled part too."""
    monkeypatch.chdir(tmp_path)
    model = curves_too()
    for module in (field, mesh_sample):
        monkeypatch.setattr(module, "load", lambda _, material: model)
    mesh = Path("mesh.inp")
    mesh.write_bytes(text_of(bar("C3D8", (2, 2, 2), 0.04)))
    np.save("scan.npy", VOLUME)
    write_process()
    page = MeshSession(model, open_dataset(Path("process.h5"), labelled=False), {})
    page.take("mesh.inp", mesh.read_bytes(), 1 << 28)
    chosen = MeshOptions(mesh, without="nearest", pull="TOP", hold="BOTTOM", strain=0.02)
    turn, corner, decks = (0.0, 0.0, 90.0), (0.08, 0.0, 0.0), set()
    sampled = replace(chosen, sample=3)
    for source, choice, options in (
        ("scan.npy", Choice(), chosen),
        (
            "scan.npy",
            Choice(rotation=turn, origin=corner),
            replace(chosen, rotation=turn, origin=corner),
        ),
        ("process.h5", Choice(SAMPLED, seed=3), sampled),
        ("process.h5", Choice(SAMPLED, seed=3, rotation=turn), replace(sampled, rotation=turn)),
        *(
            ("process.h5", Choice(SAMPLED, seed=3, porosity=one), replace(sampled, porosity=one))
            for one in ("0.2", "0:0.1,0.02:0.2")
        ),
    ):
        content, said = page.fill(choice, volume()).deck("TOP", "BOTTOM", 2.0)
        deck_file(Path(source), Path("mesh-part.inp"), "any", ImportOptions(), options)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            assert sorted(archive.namelist()) == [
                f"mesh-part.{one}" for one in ("csv", "inp", "vtu")
            ]
            for name in archive.namelist():
                assert archive.read(name) == Path(name).read_bytes(), (source, name)
        assert "TOP (9 nodes) moves by 0.0016 mm along z" in said
        assert said.endswith("next: svevae run mesh-part.inp")
        decks.add(Path("mesh-part.inp").read_bytes())
    assert len(decks) == 6
    tilted = page.fill(Choice(SAMPLED, seed=3, rotation=(0.0, 90.0, 0.0)), None)
    assert tilted.boxes[1].startswith("sample from 0, 0, 0 to"), "nothing is -4e-18"
    assert "sample, 90 degrees from z of the mesh" in tilted.said[-1]
    assert "90 degrees from z, along which the part is pulled" in tilted.deck("TOP", "BOTTOM", 2)[1]
    wished = page.fill(Choice(SAMPLED, seed=3, porosity=" 0.2"), None)
    assert wished.said[0] == "mean porosity of the part 20.000%, 20.000% asked for"
    free = page.fill(Choice(SAMPLED, seed=3), None)
    assert free.said[0].endswith("%, none asked for")
    numbers = r"^porosity: expected a number from 0 to 1 or DISTANCE:POROSITY,\.\.\., received"
    for typed, message in (
        ("0.2x", numbers),
        ("mesh.inp", numbers),  # is there, and is not opened
        ("0.99", "^porosity: expected a mean between"),
    ):
        with pytest.raises(DataError, match=message):
            page.fill(Choice(SAMPLED, porosity=typed), None)


@pytest.mark.parametrize("order", ["C", "F"])
def test_pores_of_an_sve_wherever_layers_lie(order: str) -> None:
    """Along x or along z of the file."""
    array = np.asarray(VOLUME[:8, :8, :8], order=order)
    rule = type("Rule", (), {"apply": staticmethod(lambda values: values)})
    tiles = Tiles(View.whole(array), 4, rule)
    assert tiles.axis == "CF".index(order) * 2
    for sve, (x, y, z) in enumerate(np.ndindex(2, 2, 2)):
        own = array[4 * x : 4 * x + 4, 4 * y : 4 * y + 4, 4 * z : 4 * z + 4]
        np.testing.assert_array_equal(pores_of(tiles, sve), own)


def test_a_sampled_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a volume; each seed another, the same again; its SVEs have codes of their own. Pages
    share what was fitted.
    """
    monkeypatch.chdir(tmp_path)
    write_process()
    known: dict = {}
    data = open_dataset(Path("process.h5"), labelled=False)
    pages = [MeshSession(curves_too(), data, known) for _ in range(2)]
    for page in pages:
        page.take("mesh.inp", text_of(bar("C3D8", (2, 2, 2), 0.04)), 1 << 28)
    first, second = (pages[0].fill(Choice(SAMPLED, seed=seed), None) for seed in (1, 2))
    again = pages[1].fill(Choice(SAMPLED, seed=1), None)
    np.testing.assert_array_equal(first.values["porosity"], again.values["porosity"])
    assert not np.array_equal(first.values["porosity"], second.values["porosity"])
    assert len(known) == 1
    _, latent, voxels = first.sve(14)
    assert latent is not None
    assert latent.shape == (1,)
    assert voxels.shape == (4, 4, 4)
    assert first.boxes[1].startswith("sample from 0, 0, 0 to 0.08")


def test_nothing_to_fill_it_with() -> None:
    page = session()
    with pytest.raises(
        DataError, match=r"mesh.inp: expected a volume .* svevae explore an SVE fil"
    ):
        page.fill(Choice(), None)
    with pytest.raises(DataError, match="drop the scan of the part, too"):
        page.fill(Choice(SAMPLED), None)
    with pytest.raises(DataError, match="expected a mesh, none was dropped yet"):
        MeshSession(curves_too(), None, {}).fill(Choice(), volume())


def test_what_is_dropped_is_named_as_the_user_does() -> None:
    """A volume that claims too much, an element that is inside out."""
    page = session()
    with pytest.raises(DataError, match=r"^scan.npy: expected a volume of at most .* unpacks"):
        page.fill(Choice(), replace(volume(), unpacked=100))
    text = text_of(bar("C3D8", (1, 1, 2), 0.04)).decode()
    lines = text.replace("0.08", "-0.08", 2).encode()
    with pytest.raises(DataError, match=r"^bad.inp: .*: expected volumes above 0"):
        page.take("C:\\a\\bad.inp", lines, 1 << 28)
    assert page.name == "mesh.inp"


def test_bytes_count() -> None:
    """The mesh, and the volume that its SVEs are looked up in."""
    page = session()
    empty = MeshSession(curves_too(), None, {}).nbytes
    alone = page.nbytes
    assert empty == 0
    assert alone >= page.mesh.points.nbytes + page.mesh.blocks[0].nodes.nbytes
    page.fill(Choice(), volume())
    assert page.nbytes >= alone + VOLUME.nbytes
