#!/bin/sh
# Keras 3.15.1: a Normalization layer whose weights are set goes on with the scale it had.
#
# Its mean and variance are weights, and get_weights() returns what set_weights() gave; but it
# computes with tensors that are made when it is adapted, built or loaded. A checkpoint that assigns
# weights to a fresh model restores all layers but this one: no error, other outputs.
# `finalize_state()` takes the weights over.
#
# Seen (backends jax and tensorflow): adapted to 0 and 10 it gives 1.0 for 10, its copy by set_weights
# 10.0 with the same weights, and 1.0 after finalize_state().
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check keras==3.15.1 numpy==2.2.6 jax==0.6.2
KERAS_BACKEND=jax KERAS_HOME="$folder" "$folder/venv/bin/python" - <<'EOF'
import keras
import numpy as np

data, ten = np.float32([[0.0], [10.0]]), np.float32([[10.0]])
adapted, copy = keras.layers.Normalization(), keras.layers.Normalization()
adapted.adapt(data)
copy.build((None, 1))
copy.set_weights(adapted.get_weights())
same = all(map(np.array_equal, adapted.get_weights(), copy.get_weights()))
outputs = [float(np.asarray(layer(ten))[0, 0]) for layer in (adapted, copy)]
copy.finalize_state()
outputs.append(float(np.asarray(copy(ten))[0, 0]))
print("the same weights:", same, "outputs:", outputs)
assert same
assert outputs == [1.0, 10.0, 1.0]
EOF
