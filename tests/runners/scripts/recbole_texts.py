"""What RecBole makes of texts in its settings: ``python recbole_texts.py TEXTS FILE``, both of JSON; the file gets Python's spelling."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    configurator: Any = importlib.import_module("recbole.config.configurator")
    config = configurator.Config.__new__(configurator.Config)
    made = {text: repr(config._convert_config_dict({"setting": text})["setting"]) for text in json.loads(sys.argv[1])}
    Path(sys.argv[2]).write_text(json.dumps(made), encoding="utf-8")
