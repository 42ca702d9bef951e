"""What the commands of data and models do with their parsed options. Modules are imported by the
command that needs them: Keras takes seconds, and `svevae --help` must not.
"""

from __future__ import annotations

import argparse
import dataclasses
from functools import partial
from pathlib import Path

from svevae.cli.given import import_keras_to_write, model_of, settings_of, work_of
from svevae.cli.quiet_keras import import_keras


def run_generate(options: argparse.Namespace) -> None:
    from svevae.dataset.generate import generate

    settings = settings_of(options)
    print(generate(settings, work_of(options), str(options.params)))
    if Path(settings.output).parent == Path("data") and Path("dvc.yaml").is_file():
        print("next: dvc add data")


def run_import(options: argparse.Namespace) -> None:
    from svevae.scans.importers import ImportOptions, import_dataset

    label = None
    if options.label:
        from svevae.scans.importers import label_samples

        origin = str(options.params)
        label = partial(label_samples, settings_of(options), work_of(options), origin=origin)
    chosen = {
        field.name: getattr(options, field.name) for field in dataclasses.fields(ImportOptions)
    }
    print(import_dataset(options.source, options.output, ImportOptions(**chosen), label))


def run_init(options: argparse.Namespace) -> None:
    if options.data is not None:
        import_keras("tensorflow")
    from svevae.project import init

    print(init(options.folder, options.data))


def run_show(options: argparse.Namespace) -> None:
    from svevae.dataset.store import open_dataset
    from svevae.pictures.dataset import plot_dataset

    output = options.output or Path(f"{options.file.stem}.png")
    plot_dataset(open_dataset(options.file, labelled=False), output)
    print(output)


def run_scatter(options: argparse.Namespace) -> None:
    import_keras_to_write(options, "scatter", options.file)
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
    import_keras_to_write(options, "export")
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


def run_predict(options: argparse.Namespace) -> None:
    import_keras_to_write(options, "predict", options.file)
    from svevae.use.predict import predict_file
    from svevae.words import counted

    model = model_of(options)
    count = predict_file(options.file, options.output, model, options.material)
    print(f"{options.output}: properties of {counted(count, 'SVE')}, by {model}")


def run_sample(options: argparse.Namespace) -> None:
    import_keras_to_write(options, "sample")
    from svevae.use.design import check_targets
    from svevae.use.sample import sample_file

    print(
        sample_file(
            options.output,
            model_of(options),
            options.count,
            options.seed,
            check_targets(options.target),
            options.material,
        )
    )


def run_design(options: argparse.Namespace) -> None:
    import_keras_to_write(options, "design", options.data)
    from svevae.pictures.design import plot_design
    from svevae.use.design import check_targets, describe_design, design_file

    found = design_file(
        options.output,
        model_of(options),
        check_targets(options.target),
        count=options.count,
        solve=options.solve,
        seed=options.seed,
        data=options.data,
        material=options.material,
        work=work_of(options),
    )
    plot_design(found, options.output.with_suffix(".png"))
    print(f"{describe_design(found)}\n{options.output}, {options.output.with_suffix('.png')}")


def run_explore(options: argparse.Namespace) -> None:
    import_keras("tensorflow")
    from svevae.explore.page import explore

    explore(
        model_of(options),
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
