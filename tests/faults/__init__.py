"""The fault harness: the real engine on a small plan, cut off, starved and damaged at every point."""
