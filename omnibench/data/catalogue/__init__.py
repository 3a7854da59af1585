"""The catalogue: what is known about public data sets, in one small TOML file per data set or family under ``definitions``."""
