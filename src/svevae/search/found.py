"""What a search found, as best.yaml holds it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from svevae.errors import ConfigError
from svevae.sections import Natural, check, load_keys, section

BEST = Path("artifacts/search/best.yaml")
SPREADS = ("property", "reconstruction", "score")


def _are_finalists(rows: list[Any]) -> bool:
    def is_spread(value: Any) -> bool:
        return isinstance(value, Mapping) and all(
            isinstance(value.get(key), float | int) for key in ("mean", "std")
        )

    return all(
        isinstance(row, Mapping)
        and {"trial", "params_yaml"} <= row.keys()
        and isinstance(row.get("seeds"), list)
        and all(is_spread(row.get(name)) for name in SPREADS)
        for row in rows
    )


@section
class Found:
    """The keys of best.yaml; see `svevae.search.pick.pick`."""

    study: str
    trial: Natural
    rule: str
    reason: str
    finalists: Annotated[
        list[Any], check(_are_finalists, f"trial, params_yaml, seeds, {', '.join(SPREADS)} of each")
    ]
    train: dict[str, Any]
    params_yaml: dict[str, Any]
    trial_run_id: str
    study_run_id: str


def read_found(path: Path = BEST) -> dict[str, Any]:
    """The content of best.yaml. Raises ConfigError that names the file and the key."""
    found = vars(load_keys(path, Found))
    if missing := sorted(map(str, found["train"].keys() - found["params_yaml"].keys())):
        raise ConfigError(f"{path}: params_yaml.{missing[0][:80]}: missing; train has it")
    return found
