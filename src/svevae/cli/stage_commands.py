"""What the stages of the pipelines, and the commands that tell what they found, do with their
parsed options; see `svevae.cli.commands`.
"""

from __future__ import annotations

import argparse

from svevae.cli.given import alone, work_of
from svevae.cli.quiet_keras import import_keras
from svevae.places import check_experiment_is_kept


def run_stage(options: argparse.Namespace) -> None:
    import importlib

    from svevae.config import load_params

    check_experiment_is_kept()
    params = load_params()
    if options.command in ("train", "evaluate"):
        import_keras(params.base.backend)
    with alone(options):
        module = importlib.import_module(f"svevae.stages.{options.command}")
        getattr(module, options.command)(params)


def run_multiscale(options: argparse.Namespace) -> None:
    import importlib

    from svevae.parts.config import load_multiscale

    check_experiment_is_kept()
    params = load_multiscale()
    import_keras("tensorflow")
    stage = getattr(importlib.import_module(f"svevae.stages.{options.command}"), options.command)
    with alone(options):
        if hasattr(options, "scheduler"):
            stage(params, work_of(options))
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
