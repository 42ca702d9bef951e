"""The card of a mesh: hidden at first, with a choice of all that can be shown."""

from __future__ import annotations

from svevae.explore.mesh_figure import SHOWN, UNITS
from svevae.explore.mesh_layout import ORIGIN, ROTATION, mesh_card
from svevae.use.mesh_options import UNITS as KNOWN
from tests.explore.test_layout import components


def test_the_card() -> None:
    card = mesh_card()
    assert card.hidden
    parts = {part.id: part for part in components(card) if hasattr(part, "id")}
    assert list(parts["mesh-show"].options) == list(SHOWN)
    assert parts["mesh-show"].value in SHOWN
    assert parts["mesh-unit"].value == "mm"
    assert set(UNITS) == set(KNOWN)
    assert {*ORIGIN, *ROTATION, "mesh-porosity"} <= set(parts)
    assert parts["mesh-strain"].value > 0
