"""SVE datasets: the contract of the file, how it is made, split, measured and exported.

`open_dataset` and `write_dataset` read and write a file of the contract, which
`svevae.dataset.store` describes; `svevae.dataset.generate.generate` makes one; `split_by_part`
divides it so that no part stands on both sides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from svevae.lazy import lazy

if TYPE_CHECKING:
    from svevae.dataset.blocks import block_scatter, scatter_exponent
    from svevae.dataset.cluster import Work
    from svevae.dataset.journal import Journal
    from svevae.dataset.label_settings import LabelSettings, read_settings
    from svevae.dataset.labelling import label_sves
    from svevae.dataset.split import Split, split_by_part
    from svevae.dataset.statistics import neighbour_correlation, pore_sizes
    from svevae.dataset.store import (
        LabelledDataset,
        SVEDataset,
        describe_dataset,
        find_problems,
        open_dataset,
        write_dataset,
    )
    from svevae.dataset.vtk import export_part, export_sve, write_vtkhdf

__all__ = [
    "Journal",
    "LabelSettings",
    "LabelledDataset",
    "SVEDataset",
    "Split",
    "Work",
    "block_scatter",
    "describe_dataset",
    "export_part",
    "export_sve",
    "find_problems",
    "label_sves",
    "neighbour_correlation",
    "open_dataset",
    "pore_sizes",
    "read_settings",
    "scatter_exponent",
    "split_by_part",
    "write_dataset",
    "write_vtkhdf",
]

__getattr__ = lazy(
    __name__,
    {
        "Journal": "journal",
        "LabelSettings": "label_settings",
        "LabelledDataset": "store",
        "SVEDataset": "store",
        "Split": "split",
        "Work": "cluster",
        "block_scatter": "blocks",
        "describe_dataset": "store",
        "export_part": "vtk",
        "export_sve": "vtk",
        "find_problems": "store",
        "label_sves": "labelling",
        "neighbour_correlation": "statistics",
        "open_dataset": "store",
        "pore_sizes": "statistics",
        "read_settings": "label_settings",
        "scatter_exponent": "blocks",
        "split_by_part": "split",
        "write_dataset": "store",
        "write_vtkhdf": "vtk",
    },
)
