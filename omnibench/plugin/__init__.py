"""The pytest side: ``hooks`` is what pytest loads, everything else is imported when there are benchmarks."""
