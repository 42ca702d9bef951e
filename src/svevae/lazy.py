"""Names that a package offers, imported on first use: `import svevae.model` loads no Keras."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of `package`: each name of `homes` from the module that `homes` gives.

    A module is "homogenize" for `svevae.physics.homogenize` in the package svevae.physics. Use it
    as `__getattr__ = lazy(__name__, {...})`. What is asked for raises AttributeError where `homes`
    does not have it, as any module does.
    """

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{homes[name]}"), name)

    return find
