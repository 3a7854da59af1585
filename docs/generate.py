"""Write docs/options.md from the options that the plugin declares: ``python docs/generate.py``."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent / "options.md"

GROUPS = {
    "The store": (
        "checkpoint-dir",
        "resume",
        "readonly",
        "reset",
        "yes",
        "salt",
        "verify",
        "keep-models",
        "allow-network-fs",
    ),
    "What runs": ("plan", "failed", "max-attempts", "timeout", "grace", "snapshots"),
    "Frameworks and the machine": ("environments", "device", "threads", "track", "tmp-dir"),
    "The table and files": ("table", "sort", "export"),
    "The regression gate": ("gate", "gate-tolerance", "gate-alpha", "gate-metrics", "gate-missing", "baseline"),
}
"""Which options stand together; one that is named nowhere stands at the end."""

HEAD = """\
# Options

<!-- Written by docs/generate.py from the options that the plugin declares. Do not edit: run it again. -->

All options of omnibench begin with `--omnirec-` and stand beside pytest's own. Most can be set in an environment variable or
in pytest's ini file as well. The command line comes before the environment, the environment before the ini file, the ini file
before the default:

```ini title="pytest.ini"
[pytest]
omnirec_table = mean
omnirec_sort = NDCG@10
```

```console
$ pytest benchmarks --omnirec-sort=HR@10
...
 Algorithm                                HR@10
 ──────────────────────────────────────────────
 BoughtTogether(damping=10.0)   *0.9833 ±0.0000
...
$ OMNIREC_TABLE=none pytest benchmarks
collected 9 items
omnibench: 9 items: 9 done, 0 failed, 0 pending (/home/ann/shop/checkpoints)

============================== 9 cached in 0.19s ===============================
```

In TOML, in `[tool.pytest]` and in `[tool.pytest.ini_options]` alike, an option may also have a number, `true` or `false`, and
where it has several values a list:

```toml title="pyproject.toml"
[tool.pytest]
omnirec_max_attempts = 5
omnirec_readonly = true
omnirec_gate_tolerance = 0.01
omnirec_export = ["report.md", "report.csv"]
```

Paths on the command line and in the environment are relative to where you are, those in the ini file to the rootdir.
[Running](running.md) shows most of the options at work.
"""

TAIL = """\
## Next

[Running](running.md), [CI and the gate](gate.md), or the [Python reference](reference/index.md).
"""


class Recorder:
    """Stands for pytest's parser: keeps what the plugin declares."""

    def __init__(self) -> None:
        self.options: dict[str, dict[str, Any]] = {}
        self.ini: set[str] = set()

    def getgroup(self, *_: Any, **__: Any) -> Recorder:
        """Return what options are added to."""
        return self

    def addoption(self, *flags: str, **how: Any) -> None:
        """Keep an option of the command line."""
        self.options[flags[-1]] = how

    def addini(self, name: str, *_: Any, **__: Any) -> None:
        """Keep a name of the ini file."""
        self.ini.add(name)


def declared() -> Recorder:
    """Return every option that the installed plugin declares to pytest."""
    (plugin,) = metadata.entry_points(group="pytest11", name="omnibench")
    recorder = Recorder()
    plugin.load().pytest_addoption(recorder)
    return recorder


def page() -> str:
    """Return the text of docs/options.md."""
    recorder = declared()
    left = dict(recorder.options)
    parts = [HEAD]
    for title, names in GROUPS.items():
        flags = [flag for flag in (f"--omnirec-{name}" for name in names) if flag in left]
        parts.append(f"## {title}\n")
        parts += [section(flag, left.pop(flag), recorder.ini) for flag in flags]
    if left:
        parts.append("## More\n")
        parts += [section(flag, how, recorder.ini) for flag, how in left.items()]
    return "\n".join([*parts, TAIL])


def section(flag: str, how: dict[str, Any], ini: set[str]) -> str:
    """Return what the page says of an option."""
    from omnibench.plugin.options import OPTIONS

    option = next((option for option in OPTIONS if option.flag == flag), None)
    choices = [str(choice) for choice in (getattr(option, "choices", None) or how.get("choices") or ())]
    takes_no_value = str(how.get("action", "")).startswith("store_")
    default = str(getattr(option, "default", "") or "")
    name = flag.lstrip("-").replace("-", "_")
    facts = []
    if choices:
        facts.append("values: " + ", ".join(f"`{choice}`" for choice in choices))
    if takes_no_value:
        facts.append("takes no value")
    elif default:
        facts.append(f"default: `{default}`")
    if how.get("action") == "append":
        facts.append("may be given several times")
    if name in ini:
        value = " (`yes` or `no`)" if takes_no_value else ""
        facts.append(f"also: `{name.upper()}` in the environment, `{name}` in the ini file{value}")
    help_text = str(how.get("help") or "").replace("%%", "%")
    return "\n".join([f"### `{flag}`\n", f"{help_text}\n", *(f"- {fact}" for fact in facts), ""])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
