"""The faces of the packages: what people should import, found on first use."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module

import pytest

import svevae
from svevae.lazy import lazy
from tests.deps import PACKAGE, imported

FACES = {
    "svevae": "LatentModel load open_dataset",
    "svevae.dataset": (
        "Journal LabelSettings LabelledDataset SVEDataset Split Work block_scatter"
        " describe_dataset export_part export_sve find_problems label_sves neighbour_correlation"
        " open_dataset pore_sizes read_settings scatter_exponent split_by_part write_dataset"
        " write_vtkhdf"
    ),
    "svevae.explore": "Explorer explore make_app",
    "svevae.meshes": (
        "Bins Block Curves Load Mesh Pull Results binned read_mesh read_results run_deck"
        " write_deck write_vtu"
    ),
    "svevae.model": (
        "ARCHITECTURES Architecture GenerativeModel LatentModel ModelContract OutOfReachError"
        " PorosityBaseline Posterior Prediction RidgeBaseline Scores Trainer VoxelPCA build_vae"
        " coverage elastic_statistics fit_posterior kl_divergence load_folder property_loss r2"
        " reconstruction_loss sample_latent sample_sves save_folder"
    ),
    "svevae.parts": (
        "Coarse Direct Gradation GradationStudy Ground LatentField Law Outline PartSampler"
        " PropertyField SegmentationShift fit_trend generate_bars load_multiscale"
    ),
    "svevae.physics": (
        "Elastic GENERATORS Hardening Labels Loading Material PRESETS Path PorousMaterial Response"
        " Settings Solver Tension fit_voce hashin_shtrikman load_path make_part parameter_names"
        " poisson property_names pull voce_curve voigt_bound yield_stress young"
    ),
    "svevae.pictures": "dataset_figure design_figure scatter_figure",
    "svevae.reports": "model_card",
    "svevae.scans": (
        "ImportOptions Samples Segmentation find_sources import_dataset read_samples read_volume"
    ),
    "svevae.search": (
        "JOURNAL Study Ticket finalists front open_journal open_storage parse_space score"
    ),
    "svevae.use": (
        "Design Lightened MeshOptions Scatter Spread Wish deck_file design_file encode_volume"
        " field_file lighten_file load predict_file sample_file scatter_of_file spread_of_file"
    ),
}


@pytest.mark.parametrize("package", FACES)
def test_every_name_of_a_face_resolves(package: str) -> None:
    face = import_module(package)
    assert sorted(face.__all__) == sorted(FACES[package].split())
    for name in face.__all__:
        assert getattr(face, name) is not None


@pytest.mark.parametrize("package", FACES)
def test_type_checkers_see_what_is_there_at_run_time(package: str) -> None:
    """The imports under TYPE_CHECKING name each of `__all__` in the module that it comes from."""
    face = import_module(package)
    seen = {
        alias.name: node.module
        for block in ast.parse((PACKAGE.parent / face.__file__).read_text(encoding="utf-8")).body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert sorted(seen) == sorted(face.__all__)
    for name, module in seen.items():
        assert getattr(import_module(module), name) is getattr(face, name)


def test_every_package_but_the_stages_has_a_face() -> None:
    folders = {f"svevae.{path.parent.name}" for path in PACKAGE.glob("*/__init__.py")}
    assert folders - {"svevae.cli", "svevae.stages", "svevae.tracking"} == set(FACES) - {"svevae"}


def test_no_face_offers_the_name_of_a_module() -> None:
    """`from svevae.physics import label` would be the module or the function, whichever came
    first.
    """
    for package in FACES:
        face = import_module(package)
        for folder in face.__path__:
            modules = {path.stem for path in (PACKAGE.parent / folder).glob("*.py")}
            assert not modules & set(face.__all__), package


def test_the_package_imports_from_modules_not_from_faces() -> None:
    """dvc.yaml knows modules; an import from a face would hide one from it (`tests/deps.py`)."""
    rooms = {package.removeprefix("svevae.") for package in FACES}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module in FACES:
                room = node.module.removeprefix("svevae.")
                if room == "svevae" and all(alias.name == "tracking" for alias in node.names):
                    continue  # no lazy face: `tests/deps.py` follows it
                for alias in node.names:
                    module = PACKAGE / ("" if room == "svevae" else room) / f"{alias.name}.py"
                    assert module.is_file() or alias.name in rooms or alias.name == "__version__", (
                        f"{path.relative_to(PACKAGE)} imports {alias.name} from {node.module}"
                    )
        assert "lazy" not in imported(path) or path.name == "__init__.py"


def test_faces_load_no_heavy_library() -> None:
    heavy = "('numpy', 'keras', 'tensorflow', 'jax', 'matplotlib', 'mlflow', 'optuna', 'dash')"
    program = f"import sys, {', '.join(FACES)}; print([m for m in {heavy} if m in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8")
    assert (answer.stdout, answer.returncode) == ("[]\n", 0), answer.stderr


def test_a_run_of_calculix_loads_no_model() -> None:
    """`svevae run` has none: Keras would take seconds, and TensorFlow chatters as it starts."""
    used = (
        "svevae.meshes.calculix, svevae.meshes.results, svevae.pictures.mesh, svevae.pictures.part"
    )
    program = f"import sys, {used}; print([m for m in ('keras', 'tensorflow') if m in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8")
    assert (answer.stdout, answer.returncode) == ("[]\n", 0), answer.stderr


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"module 'svevae' has no attribute 'nothing'"):
        _ = svevae.nothing
    find = lazy("svevae.physics", {"PRESETS": "elasticity"})
    assert "as-built-z" in find("PRESETS")
    with pytest.raises(AttributeError, match=r"module 'svevae.physics' has no attribute 'Solver'"):
        find("Solver")
