"""How far a filling is, in words: 20 s of two SVEs a second, after 5 s of other work."""

from __future__ import annotations

from svevae.explore.mesh_progress import Progress


def test_what_is_said() -> None:
    now = [100.0]
    progress = Progress(lambda: now[0])
    now[0] += 5
    assert progress.say() == "00:05 gone"
    progress.tell(0, 40)
    assert progress.say() == "0 of 40 SVEs, 00:05 gone"
    now[0] += 10
    progress.tell(20, 40)
    assert progress.say() == "20 of 40 SVEs, 00:15 gone, 00:10 left, 2 SVE/s"
    progress.tell(20_000, 40_000)
    assert progress.say().endswith(" left, 2,000 SVE/s")
    now[0] += 10
    progress.tell(40, 40)
    assert progress.say() == "00:25 gone"
