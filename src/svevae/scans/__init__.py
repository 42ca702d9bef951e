"""Other people's data: volumes, slices, tables and result files, read into the contract.

`import_dataset` is `svevae import`; `read_volume` reads one volume; a `Segmentation` divides its
greys into pores and solid and says how much the porosity depends on that choice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from svevae.lazy import lazy

if TYPE_CHECKING:
    from svevae.scans.importers import Samples, import_dataset, read_samples
    from svevae.scans.layouts import find_sources
    from svevae.scans.options import ImportOptions
    from svevae.scans.segmentation import Segmentation
    from svevae.scans.volume import read_volume

__all__ = [
    "ImportOptions",
    "Samples",
    "Segmentation",
    "find_sources",
    "import_dataset",
    "read_samples",
    "read_volume",
]

__getattr__ = lazy(
    __name__,
    {
        "ImportOptions": "options",
        "Samples": "importers",
        "Segmentation": "segmentation",
        "find_sources": "layouts",
        "import_dataset": "importers",
        "read_samples": "importers",
        "read_volume": "volume",
    },
)
