"""What the commands that put SVEs into space do with their parsed options; see
`svevae.cli.commands`.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from svevae.cli.given import import_keras_to_write, model_of, work_of

if TYPE_CHECKING:
    from svevae.meshes.calculix import Load
    from svevae.meshes.results import Results
    from svevae.use.mesh_options import MeshOptions


def run_field(options: argparse.Namespace) -> None:
    from svevae.errors import ConfigError
    from svevae.use.mesh_options import MeshOptions

    if options.mesh is None:
        for one in dataclasses.fields(MeshOptions):
            if one.name != "mesh" and getattr(options, one.name) != one.default:
                raise ConfigError(f"{one.name}: expected --mesh MESH with it, received none")
    from svevae.scans.options import ImportOptions

    names = [f.name for f in dataclasses.fields(ImportOptions) if hasattr(options, f.name)]
    read = ImportOptions(**{name: getattr(options, name) for name in names})
    placed = None if options.mesh is None else mesh_options(options)
    verb = "field" if placed is None else "deck"
    import_keras_to_write(options, verb, options.source, options.mesh)
    model, material = model_of(options), options.material
    if placed is None:
        from svevae.use.field import field_file

        print(field_file(options.source, options.output, model, read, material))
        return
    from svevae.pictures.part import plot_deck
    from svevae.use.on_mesh import deck_file

    print(deck_file(options.source, options.output, model, read, placed, material, plot_deck))


def run_run(options: argparse.Namespace) -> None:
    from svevae.errors import DataError, SolverError
    from svevae.files import check_target
    from svevae.meshes.calculix import run_deck
    from svevae.words import counted

    deck = options.deck
    table = options.output or deck.with_name(f"{deck.stem}-load.csv")
    picture = table.with_suffix(".png")
    name = table.stem.removesuffix("-load")
    fields, part = (table.with_name(f"{name}-{one}") for one in ("result.vtu", "part.png"))
    if table.suffix != ".csv":
        raise DataError(
            f"{table}: expected a name that ends in .csv, received {table.suffix or 'none'}"
        )
    for path in (table, picture, fields, part):
        check_target(path, [deck])
    load = run_deck(deck)
    end = f"{load.displacement[-1]:.4g} {load.unit}"
    stopped = f"{deck}: CalculiX stopped at a displacement of {end}"
    why = f": {load.stopped}" if load.stopped else f", see {deck.with_suffix('.log')}"
    try:
        written, said = _write_run(deck, load, table, picture, fields, part)
    except DataError as error:
        if not load.stopped:
            raise
        kept = deck.with_suffix(".dat")
        raise DataError(f"{stopped}{why}; up to there: {kept}\n  {error}") from error
    files, about = ", ".join(map(str, written)), "\n  ".join(["", *said])
    if not load.whole:
        raise SolverError(f"{stopped}{why}; up to there: {files}{about}")
    found = load.yield_load
    force = "no yield yet" if found is None else f"yield load {found:.5g} N"
    print(
        f"{files}: {force} (0.2 % of {load.length:.4g} {load.unit}), {load.force[-1]:.5g} N at"
        f" {end}, {counted(len(load.force), 'increment')}{about}"
    )


def _write_run(
    deck: Path, load: Load, table: Path, picture: Path, fields: Path, part: Path
) -> tuple[list[Path], list[str]]:
    """Write what CalculiX found in a deck: the names of the files, and what to say of them."""
    from svevae.errors import DataError
    from svevae.meshes.results import read_results
    from svevae.pictures.mesh import plot_load

    for path in (fields, part):  # of a run before
        path.unlink(missing_ok=True)
    written, said = [table, picture], list[str]()
    try:
        results = read_results(deck)
    except DataError as error:  # a deck that asks for other fields
        load.write(table)
        said.append(f"no fields: {error}")
    else:
        load.write(table, results.columns(load.displacement))
        results.write(fields)
        written.append(fields)
        said.append(results.peak.told(load.unit))
        if results.damage:
            reached = f"{results.displacement[-1]:.4g} {load.unit}"
            lost = f"; {load.stopped}" if load.whole and load.stopped else ""
            said.append(f"fields up to {reached}: {results.damage}{lost}")
        _plot_part(part, fields, results, written, said)
    plot_load(picture, load)
    return written, said


def _plot_part(
    part: Path, fields: Path, results: Results, written: list[Path], said: list[str]
) -> None:
    """Plot a part, where this machine can; `written` gets the name, or `said` the reason."""
    from svevae.errors import DataError
    from svevae.pictures.part import plot_part

    try:
        plot_part(part, fields, results)
    except DataError as error:
        said.append(f"no picture of the part: {error}")
    except ModuleNotFoundError as error:
        said.append(f"no picture of the part: needs {error.name}: pip install 'svevae[mesh]'")
    else:
        written.append(part)


def mesh_options(options: argparse.Namespace) -> MeshOptions:
    """Those of a command that has some of them."""
    from svevae.use.mesh_options import MeshOptions

    names = [
        field.name for field in dataclasses.fields(MeshOptions) if hasattr(options, field.name)
    ]
    return MeshOptions(**{name: getattr(options, name) for name in names})


def run_spread(options: argparse.Namespace) -> None:
    import_keras_to_write(options, "spread", options.source, options.mesh)
    from svevae.errors import DataError
    from svevae.pictures.spread import plot_spread
    from svevae.scans.options import ImportOptions
    from svevae.use.spread import describe_spread, spread_of_file, tables_of

    found = spread_of_file(
        options.source,
        options.output,
        model_of(options),
        ImportOptions(voxel_size=options.voxel_size),
        mesh_options(options),
        options.count,
        options.material,
        work_of(options),
    )
    found.write(options.output)
    written = list(tables_of(options.output))
    if found.whole.empty:
        files = ", ".join(map(str, written))
        raise DataError(f"{files}: {describe_spread(found)}")
    picture = options.output.with_suffix(".png")
    plot_spread(picture, found)
    print(f"{', '.join(map(str, [*written, picture]))}: {describe_spread(found)}")


def run_lighten(options: argparse.Namespace) -> None:
    import_keras_to_write(options, "lighten", options.source, options.mesh)
    from svevae.pictures.lighten import plot_lightened
    from svevae.scans.options import ImportOptions
    from svevae.use.lighten import Wish, describe_lightened, lighten_file, tables_of

    between = None if options.between is None else tuple(options.between)
    wish = Wish(
        options.near, between, options.load, options.trials, options.samples, options.verify
    )
    found = lighten_file(
        options.source,
        options.output,
        model_of(options),
        ImportOptions(voxel_size=options.voxel_size),
        mesh_options(options),
        wish,
        options.material,
        work_of(options),
    )
    found.write(options.output)
    picture = options.output.with_suffix(".png")
    plot_lightened(picture, found)
    written = ", ".join(map(str, [*tables_of(options.output), picture]))
    print(f"{written}: {describe_lightened(found, wish)}")
