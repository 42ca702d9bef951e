"""Digests that name data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from svevae.dataset.digest import content_digest, dataset_digest, file_md5, text_md5
from svevae.dataset.store import SVEDataset
from svevae.errors import ConfigError, DataError


def test_digest_is_that_of_dvc_where_it_tracks_the_data(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    file = folder / "a.h5"
    file.write_bytes(b"abc")
    assert (
        dataset_digest(file)
        == file_md5(file)
        == text_md5("abc")
        == "900150983cd24fb0d6963f7d28e17f72"
    )  # md5("abc"), RFC 1321
    (tmp_path / "data.dvc").write_text(
        "outs:\n- md5: 0123456789abcdef0123456789abcdef.dir\n  path: data\n", encoding="utf-8"
    )
    assert dataset_digest(file) == "0123456789abcdef0123456789abcdef.dir"
    (tmp_path / "data.dvc").write_text("outs: []\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"data\.dvc: expected the md5"):
        dataset_digest(file)
    (tmp_path / "data.dvc").write_text("outs:\n- md5: [\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"data\.dvc: line 3, column 1: expected YAML in UTF-8"):
        dataset_digest(file)


def test_content_digest_sees_voxels_and_labels(tiny: SVEDataset) -> None:
    voxels, properties = tiny.voxels(np.arange(3)), tiny.properties[:3]
    digest = content_digest(voxels, properties)
    other = voxels.copy()
    other[0, 0, 0, 0] ^= 1
    assert digest == content_digest(voxels.astype(float), properties.copy())
    assert digest != content_digest(other, properties)
    assert digest != content_digest(voxels, properties + 1)
