"""``python -m omnibench``: the ``omnibench`` command, where no script of that name is on the path."""

from omnibench.commands.main import main

raise SystemExit(main())
