"""A model in another metal than its usual one."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import asdict

import numpy as np

from svevae.dataset.curves import law_features
from svevae.dataset.label_settings import parse_settings
from svevae.errors import ConfigError
from svevae.model.latent import LatentModel
from svevae.physics.alloys import LAW, laws_of, strains_of
from svevae.physics.elasticity import Material

FEATURES = ("nu", "log Q/s0", "log b s0/E")
# share of what was seen in training, by which a law may lie beside it
SLACK = 0.1


def in_metal(model: LatentModel, material: Material) -> LatentModel:
    """`model`, whose matrix is `material` from now on: it predicts with that law, and its contract
    has the labels that the solver would give.

    Raises ConfigError for a model that knows one metal alone, and for a law unlike those of its
    training: of them E and s0 do not matter, curves and stiffness scale with them.
    """
    contract = model.contract
    law = laws_of(material, 1)[0]
    if not contract.law:
        raise ConfigError(
            "material: expected none, of a model that knows the metal of its training SVEs alone"
        )
    for name, found, (low, high) in zip(
        FEATURES, law_features(law), contract.law_range, strict=True
    ):
        slack = SLACK * (high - low) + 1e-6 * max(abs(low), abs(high))
        if not low - slack <= found <= high + slack:
            raise ConfigError(
                f"material: expected {name} from {low:.4g} to {high:.4g}, as in training, received"
                f" {found:.4g}"
            )
    model.model.get_layer("law").set_weights([np.zeros((model.latent_dim, len(LAW))), law])
    labels = contract.labels
    settings = parse_settings(labels)
    if labels and settings:
        strain = strains_of(law[None], settings.material, np.array(settings.tension.strain))[0]
        tension = dataclasses.replace(settings.tension, strain=tuple(strain.tolist()))
        settings = dataclasses.replace(settings, material=material, tension=tension)
        labels = labels | {
            "material": asdict(material),
            "tension": asdict(tension),
            "label_digest": settings.digest(),
        }
    described = dataclasses.replace(contract.data, material=json.dumps(asdict(material)))
    changed = dataclasses.replace(contract, law=tuple(law.tolist()), labels=labels, data=described)
    return LatentModel(model.model, changed, model.batch_size, model.posterior)
