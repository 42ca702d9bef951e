"""A model as an ONNX file, for codes that are not Python: `svevae export MODEL -o champion.onnx`.

One input, `voxels` float32 (sve, n, n, n) of 0 (solid) and 1 (pore), and the outputs of
`svevae.model.latent.LatentModel.outputs` under their names, any number of SVEs at once. Names and
units of the properties stand in the file's metadata. A runtime does not check the voxels.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import keras
import numpy as np

from svevae import __version__
from svevae.errors import ConfigError
from svevae.files import written_whole
from svevae.model.latent import LatentModel
from svevae.use.champion import load
from svevae.use.targets import check_output

OPSET = 17  # of ONNX 1.12 (2022): what runtimes of today read
OUTPUTS = (
    "latent_mean",
    "latent_std",
    "probability",
    "properties",
    "properties_std",
    "novelty",
)


def export_onnx(uri: str, target: Path) -> LatentModel:
    """Write the model that `uri` names (`svevae.use.champion.load`), whole or not at all; returns
    the model.

    Raises DataError for another suffix or target than a file's, ConfigError under another backend
    than tensorflow.
    """
    check_output("export", target)
    if keras.backend.backend() != "tensorflow":
        raise ConfigError(
            f"KERAS_BACKEND: expected tensorflow to export, received {keras.backend.backend()}"
        )
    import tf2onnx  # asked for before a model is loaded

    model = load(uri)
    with written_whole(target) as beside:
        beside.write_bytes(_converted(model, tf2onnx).SerializeToString())
    return model


def _converted(model: LatentModel, tf2onnx: Any) -> Any:
    """The ONNX graph with its metadata."""
    import tensorflow as tf

    for layer in model.model._flatten_layers():
        if isinstance(layer, keras.layers.Normalization):
            # tensors that a traced function takes for inputs; arrays become constants
            layer.mean, layer.variance = np.asarray(layer.mean), np.asarray(layer.variance)

    def outputs(voxels: Any) -> dict[str, Any]:
        raw = model.model(voxels, training=False)
        found = {
            "latent_mean": raw["latent_mean"],
            "latent_std": tf.exp(raw["latent_log_var"] / 2),
            "probability": tf.sigmoid(raw["logits"]),
            "properties": raw["properties"],
            "properties_std": raw["properties_std"],
            "novelty": raw["novelty"][:, 0],
        }
        return {name: tf.identity(found[name], name=name) for name in OUTPUTS}

    signature = [tf.TensorSpec((None, model.n, model.n, model.n), tf.float32, name="voxels")]
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)  # its news of each step
    graph, _ = tf2onnx.convert.from_function(
        tf.function(outputs, input_signature=signature), input_signature=signature, opset=OPSET
    )
    contract = model.contract
    for key, value in {
        "names": json.dumps(model.names),
        "units": json.dumps(model.units),
        "n": str(model.n),
        "voxel_size_um": json.dumps(model.voxel_size),
        "svevae": __version__,
        "contract": contract.text(),
    }.items():
        entry = graph.metadata_props.add()
        entry.key, entry.value = key, value
    return graph
