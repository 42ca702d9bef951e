"""Labels from columns of cells: names, units, numbers and parts as they were meant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from svevae.errors import DataError
from svevae.scans.options import ImportOptions
from svevae.scans.sources import Column, Sample, Source, labelled


def source_of(columns: dict[str, Sequence[Any]] | list[Column], **options: Any) -> Source:
    """Samples labelled with columns of two cells each."""
    if isinstance(columns, dict):
        columns = [Column(head, cells, i + 1) for i, (head, cells) in enumerate(columns.items())]
    samples = [Sample(name, lambda: np.zeros((2, 2, 2))) for name in "ab"]
    source = Source("set", samples, [Path("t.csv")], "xyz", notes=("first",))
    return labelled(source, "t.csv", columns, ["a", "b"], ImportOptions(**options))


@pytest.mark.parametrize(
    ("headers", "names", "units"),
    [
        (["E_x [MPa]", "nu (-)", "G"], ["E_x", "nu", "G"], ["MPa", "-", "-"]),
        (["Rp0.2%", "a, b [1/s]", "E []"], ["Rp0.2%", "a, b", "E"], ["-", "1/s", "-"]),
        (
            ["Rp (0.2) [MPa]", "E\n[GPa]", "E_y\xa0[Pa]"],
            ["Rp (0.2)", "E", "E_y"],
            ["MPa", "GPa", "Pa"],
        ),
        (["E(x)", "E(y)", "nu(x)"], ["E(x)", "E(y)", "nu"], ["-", "-", "x"]),
    ],
)
def test_names_and_units_of_headers(headers: list[str], names: list[str], units: list[str]) -> None:
    """Brackets that make names distinct belong to them."""
    labels = source_of({head: [1, 2] for head in headers}).labels
    assert labels is not None
    assert (list(labels.names), list(labels.units)) == (names, units)


def test_a_unit_beside_its_name_leaves_the_name_alone() -> None:
    labels = source_of([Column("E (x)", [1, 2], unit="MPa")]).labels
    assert labels is not None
    assert (labels.names, labels.units) == (("E (x)",), ("MPa",))


@pytest.mark.parametrize(
    "header",
    ["", " ", "index", "Index", "Unnamed: 0", "id", "no.", "sample", "Probe", "Sample_ID", "sve"],
)
def test_a_column_that_numbers_the_rows_is_no_property(header: str) -> None:
    source = source_of({header: ["1", "0"], "E": ["5", "6"]})
    assert source.labels is not None
    assert source.labels.names == ("E",)
    assert source.notes == (
        "first",
        "columns without a name, or that number the rows, are no properties:"
        f" {header.strip() or 'column 1'}",
    )


def test_an_index_with_other_numbers_is_a_property_and_any_that_is_asked_for() -> None:
    for columns, options in (
        ({"index": ["0.5", "1"]}, {}),
        ({"index": ["7", "7"]}, {}),
        ({"index": ["0", "1"]}, {"properties": ("index",)}),
    ):
        labels = source_of(columns, **options).labels
        assert labels is not None
        assert labels.names == ("index",)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"E": [1, 2], "[MPa]": [1, 2]}, r"column 2: expected a name, received \[MPa\]$"),
        ([Column("", [1, 2], 3, "MPa")], r"column 3: expected a name, received none$"),
        ({"E\x07": [1, 2]}, r"column 1: expected a name without control characters, .* 'E\\x07'$"),
        ({"E": [1, 2], "E ": [1, 2]}, r"column 2: expected distinct names, received E in column 1"),
        ({"E" * 101: [1, 2]}, r"column 1: expected a name and a unit of at most 100 characters"),
        ({"part": [1, 2], "part_id": [1, 2]}, r"expected one column of parts, received part in"),
        ({"part": ["a", ""]}, r"part of b: expected a number or a name .* received nothing$"),
        ({"part": [1, float("nan")]}, r"part of b: expected a number or a name .* 'nan'$"),
        ({"part": ["a", "x" * 101]}, r"part of b: expected a number or a name of at most 100"),
        ({"E": ["1", "x" * 10**5]}, r"E of b: expected a finite number, received xxx"),
        ({"E": ["1", "1_0"]}, r"E of b: expected a finite number, received 1_0$"),
    ],
)
def test_each_fault_is_named(columns: Any, message: str) -> None:
    with pytest.raises(DataError, match=r"^t\.csv: " + message) as caught:
        source_of(columns)
    assert len(str(caught.value)) < 2000


@pytest.mark.parametrize(
    ("cells", "parts"),
    [
        (["1", "-2"], [1, -2]),
        (["001", "1"], ["001", 1]),
        ([2.0, np.float32(3)], [2, 3]),
        ([b"a", "b c"], ["a", "b c"]),
        ([str(10**24), str(2**63 - 1)], [str(10**24), 2**63 - 1]),
        ([np.uint64(2**63), "-0"], [str(2**63), "-0"]),
    ],
)
def test_parts(cells: list[Any], parts: list[int | str]) -> None:
    """Whole numbers of 64 bits; leading zeros, and what is larger, are text."""
    assert [sample.part for sample in source_of({"part": cells}).samples] == parts


def test_cells_of_arrays() -> None:
    """Numbers of any type; text, complex numbers, vectors and missing attributes are none."""
    columns = {
        "E": np.array([1, 2], np.uint8),
        "text": np.array([b"a", b"b"]),
        "complex": np.array([1j, 2]),
        "vectors": np.ones((2, 3)),
        "nothing": [None, None],
    }
    source = source_of(columns)
    assert source.labels is not None
    assert source.labels.values.tolist() == [[1.0], [2.0]]
    assert source.notes[1:] == ("columns left out: text, complex, vectors, nothing",)


def test_numbers_from_0_or_1_on_are_no_property_by_any_name() -> None:
    labels = source_of({"sample_no": ["3", "1", "2"], "E": ["5", "6", "7"]}).labels
    assert labels is not None
    assert labels.names == ("E",)
