"""Errors that a user can mend; the command line prints the message and exits with 2."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from svevae.words import short


class SvevaeError(Exception):
    """An error that the user can mend: the message names the file or parameter, what was expected
    and what was received. A received value of any length is cut, and so is a whole of more than
    2,000 characters.
    """

    def __str__(self) -> str:
        said = re.sub(r"\S{1000,}", lambda word: short(word[0], 200), super().__str__())
        return short(said, 1900)


class DataError(SvevaeError):
    """A dataset breaks the contract of `svevae.dataset.store`."""


class ConfigError(SvevaeError):
    """params.yaml, or an argument that stands for one of its keys, is wrong."""


class ClusterError(SvevaeError):
    """A Dask scheduler or its workers cannot be reached, were lost, or gave up."""


class TrainingError(SvevaeError):
    """Training cannot go on, e.g. a term of the loss is not finite."""


class TrackingError(SvevaeError):
    """The tracking store or the model registry cannot be reached, or lacks what was asked for."""


class SolverError(SvevaeError):
    """The solver did not converge; what it had is no label."""


@contextmanager
def blaming(where: str) -> Iterator[None]:
    """Put `where`, such as "params.yaml: generate.", before the message of a ConfigError, which
    begins with the name of a parameter. Functions know their parameters; only their caller knows
    the file.
    """
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"{where}{error}") from error
