"""Other packages' names for what omnibench has, so that scripts written for them go on working.

``omnirec`` and ``omnirec_runner`` have the modules of OmniRec 1.1.0: a script changes its import lines, from
``omnirec`` to ``omnibench.compat.omnirec``, and nothing else. Nothing of omnibench imports this room.
"""
