"""The engine takes items through their phases: looks up what is recorded, computes the rest, publishes and records it.

It asks ``runners`` to compute and ``store`` to keep; it knows neither pytest nor the command line.
"""
