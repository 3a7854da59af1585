"""Every option may stand in a configuration file, in TOML with TOML's own types."""

from __future__ import annotations

import pytest

from omnibench.plugin import options
from omnibench.plugin.option import Option
from omnibench.plugin.options import OPTIONS
from omnibench.plugin.settings import check_options

native = pytest.mark.skipif(pytest.version_tuple < (9,), reason="[tool.pytest] is pytest 9's")

ENTRIES: dict[Option, list[tuple[str, str]]] = {
    options.CHECKPOINT_DIR: [('"results"', "results"), ("2024", "2024")],
    options.RESUME: [('"require"', "require")],
    options.FAILED: [('"skip"', "skip")],
    options.MAX_ATTEMPTS: [("5", "5"), ('"5"', "5")],
    options.VERIFY: [('"off"', "off")],
    options.SALT: [("7", "7"), ("2.5", "2.5"), ('"mine"', "mine")],
    options.TRACK: [('["rss", "python"]', "rss,python"), ("[]", "rss,gpu"), ('"rss"', "rss")],
    options.GRACE: [("30", "30"), ("1.5", "1.5"), ('"1m"', "1m")],
    options.TIMEOUT: [("90", "90"), ('"1h"', "1h")],
    options.SNAPSHOTS: [('"off"', "off"), ('["10m", "50it"]', "10m,50it")],
    options.ENVIRONMENTS: [('["LensKit=current", "RecBole=isolated"]', "LensKit=current,RecBole=isolated")],
    options.DEVICE: [('"cpu"', "cpu")],
    options.THREADS: [("4", "4"), ('"all"', "all")],
    options.MEMORY: [('"16GB"', "16GB"), ('"ignore"', "ignore")],
    options.FROM: [('"https://example.org/table"', "https://example.org/table")],
    options.CLUSTER: [('"local:2"', "local:2")],
    options.RECONNECT: [("90", "90"), ('"1h"', "1h")],
    options.TMP_DIR: [('"scratch"', "scratch")],
    options.READONLY: [("true", "yes"), ("false", "no"), ("1", "1"), ('"on"', "on")],
    options.ALLOW_NETWORK_FS: [("true", "yes"), ("false", "no"), ("0", "0")],
    options.SHARED: [("true", "yes"), ("false", "no"), ('"models"', "models")],
    options.ACCEPT_LICENCE: [('["Yelp2022", "Netflix"]', "Yelp2022,Netflix"), ('"all"', "all")],
    options.TABLE: [('"mean"', "mean")],
    options.NAMES: [('"hash"', "hash")],
    options.SORT: [('"HR@10"', "HR@10")],
    options.KEEP_MODELS: [('"none"', "none")],
    options.GATE_MISSING: [('"ok"', "ok")],
    options.GATE: [('"baseline.json"', "baseline.json")],
    options.GATE_TOLERANCE: [("0.01", "0.01"), ("0", "0"), ("1e-5", "1e-05"), ('"1%"', "1%")],
    options.GATE_ALPHA: [("0.01", "0.01"), ("1e-5", "1e-05")],
    options.GATE_METRICS: [('["NDCG@10", "HR@10"]', "NDCG@10,HR@10"), ('"NDCG@10"', "NDCG@10")],
    options.BASELINE: [('"new.json"', "new.json")],
    options.EXPORT: [('["r.md", "my r.csv"]', "r.md 'my r.csv'"), ('"r.md r.csv"', "r.md r.csv"), ("[]", "")],
}


def test_every_option_of_a_file_is_here() -> None:
    """A new option gets its entries in this table."""
    assert set(ENTRIES) == {option for option in OPTIONS if not option.command_line_only}


def configured(pytester: pytest.Pytester, table: str, entry: str) -> pytest.Config:
    """A configuration whose pyproject.toml has an entry."""
    (pytester.path / "pyproject.toml").write_text(f"[tool.{table}]\n{entry}\n")
    return pytester.parseconfig()


CASES = [(option, toml, value) for option, entries in ENTRIES.items() for toml, value in entries]
IDS = [f"{option.name}={toml}" for option, toml, _ in CASES]


@native
@pytest.mark.parametrize(("option", "toml", "value"), CASES, ids=IDS)
def test_native_toml(pytester: pytest.Pytester, option: Option, toml: str, value: str) -> None:
    """Numbers, booleans and lists of ``[tool.pytest]`` mean what their texts mean, and pass the option's own check."""
    config = configured(pytester, "pytest", f"{option.name} = {toml}")
    assert option.value(config) == value
    check_options(config)


@pytest.mark.parametrize(("option", "toml", "value"), CASES, ids=IDS)
@pytest.mark.filterwarnings("error")
def test_toml_in_the_manner_of_ini_files(pytester: pytest.Pytester, option: Option, toml: str, value: str) -> None:
    """In ``[tool.pytest.ini_options]`` the same entries mean the same."""
    config = configured(pytester, "pytest.ini_options", f"{option.name} = {toml}")
    if option.switch:
        assert option.is_on(config) == (value in ("yes", "on", "1"))
    else:
        assert option.value(config) == value
    check_options(config)


@native
def test_a_list_of_files_is_a_list_of_files(pytester: pytest.Pytester) -> None:
    """Each element of a list is a path of its own, whatever blanks it has, from the rootdir on."""
    config = configured(pytester, "pytest", 'omnirec_export = ["r.md", "my r.csv"]')
    assert options.EXPORT.paths(config) == [str(pytester.path / "r.md"), str(pytester.path / "my r.csv")]


@native
@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("omnirec_salt = true", r"omnirec_salt is True in .*pyproject\.toml; write a text or a number\."),
        ('omnirec_sort = ["HR@10"]', r"omnirec_sort is \['HR@10'\] in .*; write a text or a number\."),
        ("omnirec_readonly = [1]", r"omnirec_readonly is \[1\] in .*; write true or false\."),
        ("omnirec_readonly = 2", r"omnirec_readonly is '2'; write yes or no\."),
        ("omnirec_export = true", r"omnirec_export is True in .*; write a text or a list of texts\."),
        ("omnirec_gate_metrics = [10]", r"omnirec_gate_metrics is \[10\] in .*; write a text or a list of texts\."),
        (
            "omnirec_environments = {LensKit = 1}",
            r"omnirec_environments is \{'LensKit': 1\} in .*; write a text or a list",
        ),
        ("omnirec_max_attempts = 0.5", r"--omnirec-max-attempts is '0\.5'; give a whole number from 1 on\."),
    ],
)
def test_what_an_option_cannot_be(pytester: pytest.Pytester, entry: str, message: str) -> None:
    """A value of a type that the option cannot have is refused with the file, the value and what to write."""
    config = configured(pytester, "pytest", entry)
    with pytest.raises(pytest.UsageError, match=message):
        check_options(config)


def test_overridden_on_the_command_line(pytester: pytest.Pytester) -> None:
    """``-o`` wins over the file."""
    (pytester.path / "pyproject.toml").write_text('[tool.pytest.ini_options]\nomnirec_max_attempts = "5"\n')
    config = pytester.parseconfig("-o", "omnirec_max_attempts=4")
    assert options.MAX_ATTEMPTS.value(config) == "4"
