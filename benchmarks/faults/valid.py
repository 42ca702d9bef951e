"""Valid files of every format that svevae reads, and the commands that read them."""

from __future__ import annotations

import locale
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np
from benchmarks.faults.project import WORK

SHAPE = (12, 12, 12)
PORES = np.random.default_rng(0).random(SHAPE) < 0.1
GREYS = (np.where(PORES, 60, 200) + np.random.default_rng(1).normal(0, 5, SHAPE)).astype(np.uint8)
STACK = np.ascontiguousarray(GREYS.T)  # (slice, row, column), as an image program has it
EDGE = 0.01  # mm, the voxels that the model was trained on
COUNT = 5
CUBES = (np.random.default_rng(2).random((COUNT, 6, 6, 6)) < 0.2).astype(np.uint8)
TABLE = "sample,E_x [MPa],nu (-),part,remark\n" + "".join(
    f"s{i},{70000 + i},0.3{i},{'ab'[i % 2]},text\n" for i in range(COUNT)
)
MODEL = ("-m", str(WORK / "finished" / "artifacts" / "model"))
LIGHT = ("check", "show", "export", "import", "prepare")


@dataclass(frozen=True)
class Kind:
    """A kind of files: `write` puts valid ones into a folder, some from a finished project; those
    that match `damaged` are to be damaged, and `commands` read them; `share` of the cases. `before`
    is run on the valid files first. Where `own`, `svevae check` has to tell every damage that
    alters what the file says.
    """

    name: str
    write: Callable[[Path, Path], object]
    commands: tuple[tuple[str, ...], ...]
    damaged: str = "scan*"
    share: int = 3
    text: bool = False
    before: tuple[str, ...] = ()
    own: bool = False


def volume(*options: str, source: str = "{scan}", size: str = "4") -> tuple[tuple[str, ...], ...]:
    """The two commands that read a volume; {scan} is the file that was damaged."""
    return (
        ("import", source, "-o", "out.h5", "--size", size, *options),
        ("field", source, "-o", "out.csv", *options, *MODEL),
    )


def _image(path: Path, packed: bool = False) -> None:
    import SimpleITK

    image = SimpleITK.GetImageFromArray(STACK)
    image.SetSpacing((EDGE,) * 3)
    SimpleITK.WriteImage(image, str(path), packed)


def _dicom(folder: Path, _: Path) -> None:
    import SimpleITK

    (folder / "series").mkdir()
    writer, before = SimpleITK.ImageFileWriter(), locale.setlocale(locale.LC_ALL)
    writer.KeepOriginalImageUIDOn()
    for i, layer in enumerate(STACK):
        image = SimpleITK.GetImageFromArray(layer)
        image.SetSpacing((EDGE, EDGE))
        tags = {
            "0008|0060": "CT",
            "0020|000e": "1.2.3",
            "0020|000d": "1.2",
            "0008|0018": f"1.2.3.{i}",
            "0020|0032": f"0\\0\\{EDGE * i:.3f}",
            "0020|0037": "1\\0\\0\\0\\1\\0",
            "0020|0013": str(i),
        }
        for key, value in tags.items():
            image.SetMetaData(key, value)
        writer.SetFileName(str(folder / "series" / f"s{i:02d}.dcm"))
        writer.Execute(image)
    locale.setlocale(locale.LC_ALL, before)  # the writer leaves that of C


def _tif(folder: Path, _: Path) -> None:
    import tifffile

    tifffile.imwrite(folder / "scan.tif", STACK, photometric="minisblack", compression="zlib")


def _slices(suffix: str) -> Callable[[Path, Path], None]:
    def write(folder: Path, _: Path) -> None:
        import PIL.Image

        (folder / "slices").mkdir()
        for i, layer in enumerate(STACK):
            PIL.Image.fromarray(layer).save(folder / "slices" / f"s{i:02d}.{suffix}")

    return write


def _vgi(folder: Path, _: Path) -> None:
    size = " ".join(map(str, SHAPE))
    (folder / "scan.vgi").write_text(
        f"{{volume1}}\n[representation]\nsize = {size}\ndatatype = unsigned integer\n"
        f"bitsperelement = 8\n[file1]\nSize = {size}\nName = scan.vol\n"
        "Datatype = unsigned integer\ndatarange = 0 -1\nBitsPerElement = 8\n"
        "SkipHeader = 0\nFileFormat = raw\n"
        f"{{volumeprimitive12}}\n[geometry]\nresolution = {EDGE} {EDGE} {EDGE}\nunit = mm\n"
    )
    (folder / "scan.vol").write_bytes(STACK.tobytes())


def _vti(folder: Path, _: Path) -> None:
    import vtk
    from vtk.util.numpy_support import numpy_to_vtk

    data = vtk.vtkImageData()
    data.SetDimensions(*(edge + 1 for edge in SHAPE))
    array = numpy_to_vtk(GREYS.ravel(order="F"), deep=True)
    array.SetName("greys")
    data.GetCellData().AddArray(array)
    writer = vtk.vtkXMLImageDataWriter()
    writer.SetFileName(str(folder / "scan.vti"))
    writer.SetInputData(data)
    writer.Write()


def _zarr(version: int) -> Callable[[Path, Path], None]:
    def write(folder: Path, _: Path) -> None:
        import zarr

        zarr.save_array(folder / "scan.zarr", GREYS, zarr_format=version)

    return write


def _dream3d(folder: Path, _: Path) -> None:
    with h5py.File(folder / "scan.dream3d", "w") as file:
        file.attrs["FileVersion"] = np.bytes_("8.0")
        group = file.create_group("DataStructure/DataContainer")
        group.attrs["_DIMENSIONS"] = np.array(SHAPE, np.uint64)
        group.attrs["_SPACING"] = np.full(3, 10, np.float32)
        group.attrs["_ORIGIN"] = np.zeros(3, np.float32)
        group["CellData/FeatureIds"] = PORES.T.astype(np.int32)[..., None]


def _fans(folder: Path, _: Path) -> None:
    stiffness = 70e3 * np.eye(6)
    stiffness[:3, :3] += 35e3
    with h5py.File(folder / "scan.h5", "w") as file:
        for i, cube in enumerate(CUBES):
            step = f"set/{i}/ms_results/load0/time_step0"
            file[f"{step}/homogenized_tangent"] = stiffness * (1 + i)
            file[f"{step}/microstructure"] = cube.T[..., None]


def _hdf5(folder: Path, _: Path) -> None:
    with h5py.File(folder / "scan.h5", "w") as file:
        data = file.create_dataset("scan/greys", data=GREYS, chunks=(4, 12, 12), compression="gzip")
        data.attrs["voxel_size_um"] = 10.0


def _table(folder: Path, _: Path) -> None:
    (folder / "set").mkdir()
    for i, cube in enumerate(CUBES):
        np.save(folder / "set" / f"s{i}.npy", cube)
    (folder / "set" / "table.csv").write_text(TABLE)


def _npz(folder: Path, _: Path) -> None:
    np.savez_compressed(
        folder / "scan.npz", voxels=CUBES, properties=np.random.default_rng(0).random((COUNT, 3))
    )


def _sves(folder: Path, source: Path) -> None:
    shutil.copy(source / "data" / "tiny.h5", folder / "sves.h5")


def _project(folder: Path, source: Path) -> None:
    """What the stages read, without git and DVC, as far as it is there."""
    for name in (
        *("params.yaml", "data", "artifacts/split", ".checkpoints/train.npz"),
        *("artifacts/search/best.yaml", "artifacts/search/study.journal"),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if (source / name).is_dir():
            shutil.copytree(source / name, folder / name)
        elif (source / name).exists():
            shutil.copy(source / name, folder / name)


def _model(folder: Path, source: Path) -> None:
    shutil.copytree(source / "artifacts" / "model", folder / "model")
    _sves(folder, source)


def _scanned(folder: Path, _: Path) -> None:
    np.save(folder / "scan.npy", PORES.astype(np.uint8))


def _pixels(folder: Path, _: Path) -> None:
    (folder / "scan.raw").write_bytes(STACK.tobytes())


def kinds(light: bool = False) -> tuple[Kind, ...]:
    """All of them; `light`: those that need neither a model nor a finished pipeline."""
    found = []
    for kind in _kinds():
        commands = tuple(c for c in kind.commands if not light or c[0] in LIGHT)
        if commands:
            found.append(replace(kind, commands=commands))
    return tuple(found)


def _kinds() -> tuple[Kind, ...]:
    use = (
        ("predict", "sves.h5", "-o", "out.csv", "-m", "model"),
        ("sample", "-o", "out.h5", "-n", "2", "-m", "model"),
    )
    raw = ("--shape", *map(str, SHAPE[::-1]), "--dtype", "uint8")
    field = ("field", "scan.npy", "-o", "out.csv", *MODEL)
    return (
        Kind(
            "SVE file",
            _sves,
            (
                *(("check", "sves.h5"),) * 6,
                ("show", "sves.h5", "-o", "out.png"),
                ("scatter", "sves.h5", "-o", "out.png"),
                ("export", "sves.h5", "-o", "out.vtkhdf", "--sve", "1"),
                ("export", "sves.h5", "-o", "out.vtkhdf", "--part", "1"),
                ("import", "sves.h5", "-o", "out.h5"),
                ("predict", "sves.h5", "-o", "out.csv", *MODEL),
                ("predict", "sves.h5", "-o", "out.h5", *MODEL),
            ),
            "sves.h5",
            share=24,
            own=True,
        ),
        Kind("SVE file of a project", _project, (("prepare",),), "data/tiny.h5"),
        Kind("model, Keras file", _model, use, "model/model.keras", 4),
        Kind("model, contract.json", _model, use, "model/contract.json", 5, text=True),
        Kind("model, posterior.npz", _model, use, "model/posterior.npz", 3),
        Kind("params.yaml", _project, (("prepare",),), "params.yaml", 8, text=True),
        Kind("split.json", _project, (("train",),), "artifacts/split/split.json", 2, text=True),
        Kind("checkpoint", _project, (("train",),), ".checkpoints/train.npz", 1),
        Kind("study", _project, (("search", "--report"),), "artifacts/search/study.journal", 2),
        Kind(
            "best.yaml",
            _project,
            (("search", "--report"), ("train",)),
            "artifacts/search/best.yaml",
            2,
            text=True,
        ),
        Kind("encoded layers", _scanned, (field,), ".checkpoints/field/*/*/*.npz", 2, before=field),
        Kind("segmentation", _scanned, (field,), ".checkpoints/field/*/*.json", 1, before=field),
        Kind("npy", lambda f, _: np.save(f / "scan.npy", GREYS), volume()),
        Kind("npz", _npz, (("import", "scan.npz", "-o", "out.h5"),)),
        Kind("tif", _tif, volume()),
        Kind("slices of tif", _slices("tif"), volume(source="slices"), "slices/*", 2),
        Kind("slices of png", _slices("png"), volume(source="slices"), "slices/*", 2),
        Kind("raw", _pixels, volume(*raw), share=1),
        Kind("HDF5", _hdf5, volume()),
        Kind("FANS", _fans, (("import", "scan.h5", "-o", "out.h5"),), share=2),
        Kind("table", _table, (("import", "set", "-o", "out.h5"),), "set/table.csv", 4, text=True),
        Kind("NRRD", lambda f, _: _image(f / "scan.nrrd"), volume()),
        Kind("NRRD, packed", lambda f, _: _image(f / "scan.nrrd", packed=True), volume(), share=1),
        Kind("MetaImage .mha", lambda f, _: _image(f / "scan.mha"), volume()),
        Kind("MetaImage .mhd", lambda f, _: _image(f / "scan.mhd"), volume(source="scan.mhd")),
        Kind("NIfTI", lambda f, _: _image(f / "scan.nii"), volume()),
        Kind("NIfTI, packed", lambda f, _: _image(f / "scan.nii.gz"), volume(), share=1),
        Kind("DICOM", _dicom, volume(source="series"), "series/*"),
        Kind("VGStudio", _vgi, volume(source="scan.vgi")),
        Kind("VTK .vti", _vti, volume()),
        Kind("Zarr 2", _zarr(2), volume(source="scan.zarr"), "scan.zarr/**/*", 2),
        Kind("Zarr 3", _zarr(3), volume(source="scan.zarr"), "scan.zarr/**/*", 2),
        Kind("DREAM3D", _dream3d, volume("--pores", "1")),
    )
