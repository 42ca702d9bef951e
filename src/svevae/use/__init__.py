"""What people do with a champion."""
