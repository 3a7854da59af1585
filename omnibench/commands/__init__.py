"""The ``omnibench`` command: a module per family of subcommands."""
