"""A tensile bar of 4x4x8 SVEs with every pore resolved beside its latent simulation, in one run:
time, memory, errors.

Each side runs in a process of its own, one after the other, on an otherwise idle machine; its peak
memory is that of the process. The latent time starts at the voxels: cutting, encoding, predicting,
solving; what is done once for a model (loading, compilation) is not in it. Writes parts.json.
`python benchmarks/parts.py` (about 20 minutes on 2 cores)
"""

from __future__ import annotations

import json
import multiprocessing
import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from svevae.physics.part import Response

HERE = Path(__file__).parent
RESULT = HERE / "parts.json"
BAR = 1  # of the stage `compare`: the most porous
REPEATS = 20
REFINES = (4, 2)


def generated(n: int) -> np.ndarray:
    """Bar BAR of SVEs of n voxels, (x, y, z)."""
    from svevae.parts.config import load_multiscale
    from svevae.parts.ground import generate_bars

    params = load_multiscale()
    settings, seed = params.compare, params.parts.seed
    return generate_bars(
        settings.generator,
        settings.parameters,
        study="compare",
        shape=settings.part,
        n=n,
        count=1,
        seed=seed,
        first=BAR,
    )[0]


def direct() -> dict:
    """Seconds, yield load and loads of the bar with every pore resolved, solved anew."""
    from svevae.parts.config import load_multiscale
    from svevae.parts.direct import Direct, solve
    from svevae.parts.ground import Ground

    shared = load_multiscale().parts
    ground = Ground.read(shared.dataset)
    bar = generated(ground.data.n)
    settings = Direct(ground.material, shared.strain, shared.tolerance, ground.data.n)
    response, seconds = solve(
        settings,
        bar,
        np.ones(bar.shape, bool),
        f"bar {BAR}",
        lambda k: print(f"increment {k}", flush=True),
    )
    return {
        "seconds": seconds,
        "yield": float(response.yield_stress[0]),
        "strain": response.strain[0].tolist(),
    } | loads(response)


def latent() -> dict:
    """For each refinement the fastest of REPEATS, and its parts: neighbours on the machine slow a
    second down more than many minutes.
    """
    from svevae.parts.coarse import Coarse
    from svevae.parts.config import load_multiscale
    from svevae.parts.fields import PropertyField
    from svevae.parts.ground import Ground
    from svevae.use.champion import load

    shared = load_multiscale().parts
    ground, model = Ground.read(shared.dataset), load("champion/model")
    bar = generated(model.n)
    found = {}
    for refine in REFINES:
        coarse, times = Coarse(ground.law, shared.strain, shared.tolerance, refine), []
        for _ in range(REPEATS + 1):  # the first compiles
            begun = time.monotonic()
            field = PropertyField.encoded(model, bar)
            encoded = time.monotonic()
            response = coarse.simulate([field])
            times.append((time.monotonic() - begun, encoded - begun))
        seconds, encoding = min(times[1:])
        found[f"refine {refine}"] = {
            "seconds": seconds,
            "encoding": encoding,
            "yield": float(response.yield_stress[0]),
        } | loads(response)
    return found


def loads(response: Response) -> dict:
    return {f"load at {strain:.0%}": float(response.at(strain)[0]) for strain in (0.01, 0.02)}


def alone(work: Callable[[], dict]) -> dict:
    """Result of `work` in a process of its own, and the peak memory of that, GB."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measured, (work,))


def _measured(work: Callable[[], dict]) -> dict:
    found = work()
    return {
        "result": found,
        "peak memory [GB]": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }


def main() -> None:
    fast, slow = alone(latent), alone(direct)
    for name, side in fast["result"].items():
        side["times faster"] = slow["result"]["seconds"] / side["seconds"]
        side["yield off [%]"] = 100 * (side["yield"] / slow["result"]["yield"] - 1)
        print(
            f"{name}: {side['seconds']:.2f} s, {side['times faster']:.0f} times faster, yield off"
            f" {side['yield off [%]']:+.2f} %"
        )
    print(
        f"direct: {slow['result']['seconds']:.0f} s, {slow['peak memory [GB]']:.1f} GB; latent"
        f" {fast['peak memory [GB]']:.1f} GB"
    )
    RESULT.write_text(json.dumps({"direct": slow, "latent": fast}, indent=1) + "\n")


if __name__ == "__main__":
    main()
