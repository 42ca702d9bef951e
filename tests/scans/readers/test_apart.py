"""Readers in a process of their own: what ends it is told, and the next file is read."""

from __future__ import annotations

import io
import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from svevae.errors import ConfigError, DataError
from svevae.scans.readers import base
from svevae.scans.readers.apart import _received, apart

PATH = Path("scan.nrrd")
GIB = 1 << 30


def turned(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    return np.arange(int(np.prod(shape))).astype(dtype).reshape(shape).transpose(2, 0, 1)


def take(claimed: int, taken: int) -> int:
    """Fill `taken` bytes after a header has claimed others."""
    base.fits(PATH, (claimed,), np.dtype("u1"))
    return int(np.ones(taken, np.uint8)[-1])


def refuse(text: str) -> None:
    raise ConfigError(text)


def import_module(name: str) -> None:
    __import__(name)


def print_much() -> int:
    """As libraries do, by file descriptor."""
    for descriptor in (1, 2):
        os.write(descriptor, b"Warning: \n" * 10_000)
    return os.getpid()


@pytest.mark.parametrize(
    ("shape", "dtype"), [((2, 3, 4), ">u2"), ((4, 2, 3), "f8"), ((3, 0, 2), "i1")]
)
def test_arrays_come_back_as_they_were(shape: tuple[int, ...], dtype: str) -> None:
    """Also one whose axes run the other way in memory."""
    found, expected = apart(PATH, turned, shape, dtype), turned(shape, dtype)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == expected.dtype == np.dtype(dtype)
    assert found.flags.writeable


def test_half_an_array_is_none() -> None:
    """The process has ended while it sent it."""
    sent = turned((2, 3, 4), "u2").tobytes()
    np.testing.assert_array_equal(
        _received(io.BytesIO(sent), (4, 2, 3), np.dtype("u2")), turned((2, 3, 4), "u2")
    )
    with pytest.raises(EOFError, match="expected 48 bytes, received 47"):
        _received(io.BytesIO(sent[:-1]), (4, 2, 3), np.dtype("u2"))


def test_mapped_arrays_stay_on_disk(tmp_path: Path) -> None:
    (tmp_path / "a.raw").write_bytes(bytes(range(64)))
    found = apart(PATH, np.memmap, tmp_path / "a.raw", "u1", "r", 8, (4, 2))
    assert isinstance(found, np.memmap)
    assert found[1, 0] == 10


def test_one_process_reads_what_is_beside_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert apart(PATH, os.getcwd) == os.getcwd()
    assert apart(PATH, print_much) == apart(PATH, os.getpid) != os.getpid()
    assert capfd.readouterr() == ("", "")


def test_a_process_that_ends_is_told_and_another_goes_on() -> None:
    with pytest.raises(DataError, match=r"^scan\.nrrd: cannot be read, damaged: .* SIGABRT$"):
        apart(PATH, os.abort)
    with pytest.raises(DataError, match=r"^scan\.nrrd: cannot be read, damaged: .* exit code 3$"):
        apart(PATH, os._exit, 3)
    assert apart(PATH, abs, -1) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds the memory of a process")
def test_memory_is_bounded_by_what_the_header_claims() -> None:
    with pytest.raises(DataError, match=r"^scan\.nrrd: cannot be read, damaged: claims more mem"):
        apart(PATH, take, 1, GIB)
    assert apart(PATH, take, GIB, GIB) == 1
    with pytest.raises(DataError, match="claims more memory"):
        apart(PATH, take, 1, GIB)  # the bound is that of one file


def test_what_a_reader_raises_is_raised() -> None:
    with pytest.raises(ConfigError, match=r"^scan\.nrrd: expected x$"):
        apart(PATH, refuse, "scan.nrrd: expected x")
    with pytest.raises(ModuleNotFoundError) as raised:
        apart(PATH, import_module, "no_such_module")
    assert raised.value.name == "no_such_module"
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        apart(PATH, divmod, 1, 0)


def test_an_interrupt_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    first = apart(PATH, os.getpid)

    def interrupted(stream: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("svevae.scans.readers.apart.pickle.load", interrupted)
        with pytest.raises(KeyboardInterrupt):
            apart(PATH, time.sleep, 60)
    assert not os.path.exists(f"/proc/{first}")
    assert apart(PATH, os.getpid) != first
