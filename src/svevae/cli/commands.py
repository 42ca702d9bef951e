"""What each command of `svevae` does with its parsed options. Modules are imported by the command
that needs them: Keras takes seconds, and `svevae --help` must not.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from svevae import __version__
from svevae.places import check_experiment_is_kept

if TYPE_CHECKING:
    from svevae.config import Generate
    from svevae.dataset.cluster import Work
    from svevae.meshes.results import Results
    from svevae.use.mesh_options import MeshOptions


def _model(options: argparse.Namespace) -> str:
    """The model that the user names, else the default one; says so where that is not the
    registry's.
    """
    if options.model is not None:
        return options.model
    from svevae.use.champion import default_model

    uri, reason = default_model()
    if reason:
        came = f"using the champion that came with svevae {__version__}"
        print(f"svevae {options.command}: {reason}: {came}", file=sys.stderr)
    return uri


def _work(options: argparse.Namespace) -> Work:
    from svevae.dataset.cluster import Work

    return Work(options.workers, options.scheduler)


def _alone(options: argparse.Namespace) -> contextlib.AbstractContextManager[None]:
    """The lock of a stage: what `dvc` started lives on where `dvc` is killed, and would write the
    same files as the next one.
    """
    from svevae.files import locked

    return locked(Path(".checkpoints") / f"{options.command}.lock", options.command)


def _settings(options: argparse.Namespace) -> Generate:
    from svevae.config import Generate
    from svevae.sections import load_section

    return load_section(options.params, "generate", Generate)


def run_generate(options: argparse.Namespace) -> None:
    from svevae.dataset.generate import generate

    settings = _settings(options)
    print(generate(settings, _work(options), str(options.params)))
    if Path(settings.output).parent == Path("data") and Path("dvc.yaml").is_file():
        print("next: dvc add data")


def run_import(options: argparse.Namespace) -> None:
    from svevae.scans.importers import ImportOptions, import_dataset

    label = None
    if options.label:
        from svevae.scans.importers import label_samples

        origin = str(options.params)
        label = partial(label_samples, _settings(options), _work(options), origin=origin)
    chosen = {
        field.name: getattr(options, field.name) for field in dataclasses.fields(ImportOptions)
    }
    print(import_dataset(options.source, options.output, ImportOptions(**chosen), label))


def _import_keras_to_write(options: argparse.Namespace, verb: str, *sources: Path | None) -> None:
    """Import Keras, which takes seconds, once it is known that `verb` may write its output, and
    that the material is one.
    """
    from svevae.dataset.label_settings import read_material
    from svevae.use.targets import check_output

    check_output(verb, options.output, [source for source in sources if source is not None])
    if getattr(options, "material", None) is not None:
        read_material(options.material)
    _import_keras("tensorflow")


def run_init(options: argparse.Namespace) -> None:
    if options.data is not None:
        _import_keras("tensorflow")
    from svevae.project import init

    print(init(options.folder, options.data))


def run_show(options: argparse.Namespace) -> None:
    from svevae.dataset.store import open_dataset
    from svevae.pictures.dataset import plot_dataset

    output = options.output or Path(f"{options.file.stem}.png")
    plot_dataset(open_dataset(options.file, labelled=False), output)
    print(output)


def run_scatter(options: argparse.Namespace) -> None:
    _import_keras_to_write(options, "scatter", options.file)
    from svevae.pictures.scatter import plot_scatter
    from svevae.use.scatter import describe_scatter, scatter_of_file

    found, units = scatter_of_file(options.file, options.model, options.property)
    plot_scatter(found, units, options.output)
    print(f"{describe_scatter(found, units)}\n{options.output}")


def run_export(options: argparse.Namespace) -> None:
    if options.output.suffix == ".onnx":
        _export_model(options)
    else:
        _export_voxels(options)
    print(options.output)


def _export_model(options: argparse.Namespace) -> None:
    from svevae.errors import ConfigError

    if options.sve is not None or options.part is not None:
        raise ConfigError(f"{options.output}: expected no --sve and no --part of a model")
    _import_keras_to_write(options, "export")
    from svevae.use.onnx_file import export_onnx

    export_onnx(options.file, options.output)


def _export_voxels(options: argparse.Namespace) -> None:
    from svevae.errors import ConfigError

    if options.sve is None and options.part is None:
        raise ConfigError(f"{options.output}: expected --sve I or --part P of {options.file}")
    from svevae.dataset.store import open_dataset
    from svevae.dataset.vtk import export_part, export_sve

    data = open_dataset(Path(options.file), labelled=False)
    if options.part is None:
        export_sve(data, options.sve, options.output)
    else:
        export_part(data, options.part, options.output)


def run_check(options: argparse.Namespace) -> None:
    from svevae.dataset.store import describe_dataset

    print(describe_dataset(options.file))


def run_stage(options: argparse.Namespace) -> None:
    import importlib

    from svevae.config import load_params

    check_experiment_is_kept()
    params = load_params()
    if options.command in ("train", "evaluate"):
        _import_keras(params.base.backend)
    with _alone(options):
        module = importlib.import_module(f"svevae.stages.{options.command}")
        getattr(module, options.command)(params)


def run_multiscale(options: argparse.Namespace) -> None:
    import importlib

    from svevae.parts.config import load_multiscale

    check_experiment_is_kept()
    params = load_multiscale()
    _import_keras("tensorflow")
    stage = getattr(importlib.import_module(f"svevae.stages.{options.command}"), options.command)
    with _alone(options):
        if hasattr(options, "scheduler"):
            stage(params, _work(options))
        else:
            stage(params)


def run_search(options: argparse.Namespace) -> None:
    from svevae.config import load_params
    from svevae.stages import search

    params = load_params()
    if options.report:
        print(search.report(params))
    elif options.join:
        search.join(params, options.workers)
    else:
        check_experiment_is_kept()
        # not alone: searches of one study share its trials
        search.search(params, options.workers)


def run_summary(options: argparse.Namespace) -> None:
    from svevae.reports.summary import summary

    print(summary())


def run_keep(options: argparse.Namespace) -> None:
    from svevae.reports.keep import keep

    print(keep())


def run_record(options: argparse.Namespace) -> None:
    from svevae.reports.record import record

    record()


def run_predict(options: argparse.Namespace) -> None:
    _import_keras_to_write(options, "predict", options.file)
    from svevae.use.predict import predict_file
    from svevae.words import counted

    model = _model(options)
    count = predict_file(options.file, options.output, model, options.material)
    print(f"{options.output}: properties of {counted(count, 'SVE')}, by {model}")


def run_field(options: argparse.Namespace) -> None:
    from svevae.errors import ConfigError

    if options.mesh is None:
        alone = ("pull", "hold", "strain", "displacement", "step", "sample", "porosity")
        given = [name for name in alone if getattr(options, name) is not None]
        given += [] if options.correlated else ["uncorrelated"]
        given += ["drawn"] if options.drawn else []
        if given:
            raise ConfigError(f"--{given[0]}: expected --mesh MESH with it")
    from svevae.scans.options import ImportOptions

    names = [f.name for f in dataclasses.fields(ImportOptions) if hasattr(options, f.name)]
    read = ImportOptions(**{name: getattr(options, name) for name in names})
    placed = None if options.mesh is None else _mesh_options(options)
    verb = "field" if placed is None else "deck"
    _import_keras_to_write(options, verb, options.source, options.mesh)
    model, material = _model(options), options.material
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
    from svevae.meshes.results import read_results
    from svevae.pictures.mesh import plot_load
    from svevae.words import counted

    deck = options.deck
    table = options.output or deck.with_name(f"{deck.stem}-load.csv")
    picture = table.with_suffix(".png")
    name = table.stem.removesuffix("-load")
    fields, part = (table.with_name(f"{name}-{one}") for one in ("result.vtu", "part.png"))
    if table.suffix != ".csv":
        raise DataError(f"{table}: expected a name that ends in .csv")
    for path in (table, picture, fields, part):
        check_target(path, [deck])
    load = run_deck(deck)
    for path in (fields, part):  # of a run before
        path.unlink(missing_ok=True)
    said: list[str] = []
    written = [table, picture]
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
            said.append(f"fields up to {reached}: {results.damage}")
        _plot_part(part, fields, results, written, said)
    plot_load(picture, load)
    files, about = ", ".join(map(str, written)), "\n  ".join(["", *said])
    if not load.whole:
        raise SolverError(
            f"{deck}: CalculiX stopped at a displacement of {load.displacement[-1]:.4g}"
            f" {load.unit}, see {deck.with_suffix('.log')}; up to there: {files}{about}"
        )
    found = load.yield_load
    force = "no yield yet" if found is None else f"yield load {found:.5g} N"
    print(
        f"{files}: {force} (0.2 % of {load.length:.4g} {load.unit}), {load.force[-1]:.5g} N at"
        f" {load.displacement[-1]:.4g} {load.unit},"
        f" {counted(len(load.force), 'increment')}{about}"
    )


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


def _mesh_options(options: argparse.Namespace) -> MeshOptions:
    """Those of a command that has some of them."""
    from svevae.use.mesh_options import MeshOptions

    names = [
        field.name for field in dataclasses.fields(MeshOptions) if hasattr(options, field.name)
    ]
    return MeshOptions(**{name: getattr(options, name) for name in names})


def run_spread(options: argparse.Namespace) -> None:
    _import_keras_to_write(options, "spread", options.source, options.mesh)
    from svevae.errors import DataError
    from svevae.pictures.spread import plot_spread
    from svevae.scans.options import ImportOptions
    from svevae.use.spread import describe_spread, spread_of_file, tables_of

    found = spread_of_file(
        options.source,
        options.output,
        _model(options),
        ImportOptions(voxel_size=options.voxel_size),
        _mesh_options(options),
        options.count,
        options.material,
        _work(options),
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
    _import_keras_to_write(options, "lighten", options.source, options.mesh)
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
        _model(options),
        ImportOptions(voxel_size=options.voxel_size),
        _mesh_options(options),
        wish,
        options.material,
        _work(options),
    )
    found.write(options.output)
    picture = options.output.with_suffix(".png")
    plot_lightened(picture, found)
    written = ", ".join(map(str, [*tables_of(options.output), picture]))
    print(f"{written}: {describe_lightened(found, wish)}")


def run_sample(options: argparse.Namespace) -> None:
    _import_keras_to_write(options, "sample")
    from svevae.use.design import check_targets
    from svevae.use.sample import sample_file

    print(
        sample_file(
            options.output,
            _model(options),
            options.count,
            options.seed,
            check_targets(options.target),
            options.material,
        )
    )


def run_design(options: argparse.Namespace) -> None:
    _import_keras_to_write(options, "design", options.data)
    from svevae.pictures.design import plot_design
    from svevae.use.design import check_targets, describe_design, design_file

    found = design_file(
        options.output,
        _model(options),
        check_targets(options.target),
        count=options.count,
        solve=options.solve,
        seed=options.seed,
        data=options.data,
        material=options.material,
        work=_work(options),
    )
    plot_design(found, options.output.with_suffix(".png"))
    print(f"{describe_design(found)}\n{options.output}, {options.output.with_suffix('.png')}")


def run_explore(options: argparse.Namespace) -> None:
    _import_keras("tensorflow")
    from svevae.explore.page import explore

    explore(
        _model(options),
        options.file,
        options.port,
        options.browser,
        options.allow_host,
        options.upload_limit << 30,
        options.material,
    )


def run_ui(options: argparse.Namespace) -> None:
    from svevae import tracking
    from svevae.serving import GuardedASGI, addresses, listen

    with listen(options.port) as listening:
        answered = addresses(listening.getsockname()[1], options.allow_host)
        tracking.serve_page(listening, answered, lambda app: GuardedASGI(app, answered))


# what TensorFlow and Keras import where they find it, and nothing here has of them: 0.1 GiB
GUESTS = ("jax", "matplotlib", "sklearn", "IPython")


@contextlib.contextmanager
def _as_if_absent(names: Iterable[str]) -> Iterator[None]:
    """Modules look as if they were not installed, unless they are imported already."""
    hidden: dict[str, Any] = {name: None for name in names if name not in sys.modules}
    sys.modules.update(hidden)
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


def _import_keras(backend: str) -> None:
    """Import Keras on `backend`, unless KERAS_BACKEND names another, without the start-up chatter
    of TensorFlow's C++ side.

    No environment variable silences what it writes before its logging is set up, hence the detour
    of file descriptor 2; the text is shown after all if the import fails.
    """
    os.environ.setdefault("KERAS_BACKEND", backend)
    # what goes wrong comes as a Python error too
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with tempfile.TemporaryFile() as chatter:
        stderr = os.dup(2)
        os.dup2(chatter.fileno(), 2)
        named = os.environ["KERAS_BACKEND"]
        try:
            with _as_if_absent(name for name in GUESTS if name != named):
                import keras

            keras.ops.zeros(1)  # the first tensor finds the devices, and says so
        except BaseException:
            chatter.seek(0)
            os.write(stderr, chatter.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
