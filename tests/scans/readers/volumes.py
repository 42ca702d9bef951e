"""What the tests of readers share: a volume in which every voxel has its own value."""

from __future__ import annotations

import numpy as np

SHAPE = (5, 6, 7)
GREYS = np.arange(np.prod(SHAPE), dtype=np.uint16).reshape(SHAPE)  # (x, y, z)
STACK = np.ascontiguousarray(GREYS.T)  # (slice, row, column), as an image program has it
