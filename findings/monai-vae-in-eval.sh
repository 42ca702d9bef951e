#!/usr/bin/env bash
# MONAI 1.6.1: VarAutoEncoder in eval mode decodes mean + standard deviation, not the mean.
#
# Its reparameterize() leaves out the random numbers in eval mode and keeps the addition, so that
# each latent number is moved by its own standard deviation, always upwards. Expected: the mean, as
# other VAEs do, and as the model's own reconstruction loss in validation would suppose.
# Seen: with mean 0 and log variance 0 eval mode gives ones, with log variance 2 it gives e; the
# reconstruction is that of decode_forward(mu + exp(logvar / 2)), and not that of decode_forward(mu).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    torch==2.13.0 monai==1.6.1 numpy==2.4.6
cat > "$folder/eval.py" <<'PY'
import monai
import torch
from monai.networks.nets import VarAutoEncoder

torch.manual_seed(0)
net = VarAutoEncoder(
    spatial_dims=3,
    in_shape=(1, 16, 16, 16),
    out_channels=1,
    latent_size=4,
    channels=(4, 8),
    strides=(2, 2),
)
net.eval()
zeros = torch.zeros(1, 4)
moved = [net.reparameterize(zeros, zeros + log).mean().item() for log in (0.0, 2.0)]
with torch.no_grad():
    image = torch.rand(1, 1, 16, 16, 16)
    reconstruction, mu, logvar, z = net(image)
    of_mean = net.decode_forward(mu)
    of_sum = net.decode_forward(mu + torch.exp(0.5 * logvar))
same_as_sum = torch.allclose(reconstruction, of_sum, atol=1e-6)
same_as_mean = torch.allclose(reconstruction, of_mean, atol=1e-6)
print(monai.__version__, "log variance 0 and 2:", [round(one, 4) for one in moved])
print("reconstruction of mean + standard deviation:", same_as_sum, "of the mean:", same_as_mean)
assert [round(one, 4) for one in moved] == [1.0, 2.7183], moved
assert same_as_sum and not same_as_mean
PY
"$folder/venv/bin/python" "$folder/eval.py"
