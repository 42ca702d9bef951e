"""The champion's rule."""

from __future__ import annotations

import pytest

from svevae.stages.register import judge

HERE = {"mean_r2": "0.980000", "test_digest": "a"}


@pytest.mark.parametrize(
    ("r2", "baseline", "champion", "wins", "reason"),
    [
        (0.98, 0.94, None, True, "there was no champion"),
        (0.94, 0.94, None, False, "not above the 0.9400 of the porosity alone"),
        (0.93, 0.94, HERE, False, "not above the 0.9400 of the porosity alone"),
        (0.981, 0.94, HERE, True, "above the former champion's 0.9800"),
        (0.98, 0.94, HERE, False, "not above the champion's 0.9800"),
        (0.999, 0.94, HERE | {"test_digest": "b"}, False, "judged on other test SVEs"),
        (float("nan"), 0.94, HERE, False, "not above"),
    ],
)
def test_champion_moves_only_to_what_is_better_on_the_same_test_sves(
    r2: float, baseline: float, champion: dict | None, wins: bool, reason: str
) -> None:
    verdict = judge(r2, baseline, "a", champion)
    assert verdict.champion is wins
    assert reason in verdict.reason
