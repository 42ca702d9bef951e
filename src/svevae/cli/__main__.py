"""`python -m svevae.cli` is `svevae`."""

from __future__ import annotations

import sys

from svevae.cli import main

sys.exit(main())
