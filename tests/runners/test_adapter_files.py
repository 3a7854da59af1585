"""Frameworks that are files: what an adapter says is read without importing it, and refused at once where it is wrong."""

from __future__ import annotations

from argparse import Namespace
from importlib import metadata
from pathlib import Path

import pytest
from support.file_adapters import ADAPTER, lock_by_hand

from omnibench import ExperimentPlan, framework
from omnibench.code import resolve
from omnibench.code.identity import module_digest
from omnibench.code.resolve import Origin
from omnibench.commands.spaces import envs_spaces
from omnibench.compat.omnirec.runner import registry as scripts
from omnibench.errors import DataError, OmnibenchError, PlanError
from omnibench.experiment.circumstances import Circumstances
from omnibench.runners import adapters
from omnibench.runners.adapter_file import read_adapter
from omnibench.runners.environments import Environments
from omnibench.runners.lock_file import pins_of
from omnibench.runners.randomness import is_deterministic
from omnibench.runners.registry import get_runner, runner_names, runners


@pytest.fixture
def adapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The locked adapter of a project, which is the working directory."""
    (tmp_path / "pyproject.toml").write_text('[tool.omnibench]\nrunners = ["adapters/*.py"]\n')
    path = tmp_path / "adapters" / "mylib.py"
    path.parent.mkdir()
    path.write_text(ADAPTER)
    lock_by_hand(path)
    monkeypatch.chdir(tmp_path)
    return path


def refused(path: Path) -> str:
    """Return why the framework of a file is refused."""
    with pytest.raises(OmnibenchError) as refusal:
        get_runner(path.stem)
    return str(refusal.value)


@pytest.mark.parametrize("signature", ["fit(task, fold, verbose=False)", "fit(*everything)", "fit(task, *rest)"])
def test_functions_may_take_more_than_they_get(adapter: Path, signature: str) -> None:
    """With defaults, or whatever comes."""
    adapter.write_text(ADAPTER.replace("fit(task, fold)", signature))
    assert get_runner("mylib").name == "mylib"


@pytest.mark.parametrize(
    "definition",
    [
        "from functools import partial\n\n@partial\ndef save(model): ...\n",
        "try:\n    import a\n    def save(model, directory): ...\nexcept ImportError:\n    def save(model): raise\n",
    ],
)
def test_functions_that_may_take_what_they_get_are_not_refused(adapter: Path, definition: str) -> None:
    """A decorator may change what a function takes, and of several definitions another may count."""
    adapter.write_text(ADAPTER.replace("def save(", "def _save(") + "\n" + definition)
    assert get_runner("mylib").name == "mylib"


@pytest.mark.usefixtures("adapter")
def test_a_file_of_the_project_is_a_framework() -> None:
    """Plans know its algorithms and hyperparameters, though nobody can import what it imports."""
    mylib = framework("mylib")
    assert list(mylib) == ["mylib.Popularity", "mylib.Rated"]
    plan = ExperimentPlan()
    plan.add_algorithm(mylib.Popularity, {"power": 2.0})
    plan.add_algorithm("mylib.Rated")
    assert [configuration.label for configuration in plan.configurations()] == ["mylib.Popularity", "mylib.Rated"]
    with pytest.raises(AttributeError, match="no algorithm named 'Popularty'; did you mean 'Popularity'"):
        _ = mylib.Popularty
    with pytest.raises(PlanError, match="no hyperparameter 'powr'; did you mean 'power'"):
        plan.add_algorithm(mylib.Popularity, {"powr": 2.0})
    assert "mylib" in [runner.name for runner in runners()]
    for beside in ("test_mylib.py", "helping.py"):  # the pattern matches these as well
        Path("adapters", beside).write_text("import omnibench\n")
    assert not {"test_mylib", "helping"} & {*runner_names(), *(runner.name for runner in runners())}
    assert Environments("isolated").version(get_runner("mylib")) == "9.1.2"


def test_a_name_that_nobody_has_is_refused_with_those_that_there_are(adapter: Path) -> None:
    """Files of other names are not read for it; a pattern that matches nothing is pointed at."""
    (adapter.parent / "broken.py").write_text("(")
    assert get_runner("mylib").name == "mylib"
    with pytest.raises(
        PlanError, match=r"no framework named 'mylb'; did you mean 'mylib'.*(RecTools|Surprise), (broken|mylib)"
    ):
        framework("mylb")
    Path("pyproject.toml").write_text('[tool.omnibench]\nrunners = "adapter/*.py"\n')
    assert "runners = 'adapter/*.py' matches no file" in refused(adapter)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("requirements = ", "requirement = ", "says requirement = ..., but no requirements; rename it"),
        ('["no-such-lib==9.1.2"]', "[]", "requirements is []; give what pip is to install, the framework first"),
        ('["no-such-lib==9.1.2"]', '["./lib"]', "'./lib' does not begin with the name of a package"),
        (
            '["no-such-lib==9.1.2"]',
            '["scikit learn"]',
            "requirements: 'scikit learn' is no requirement as pip takes them",
        ),
        (
            '["no-such-lib==9.1.2"]',
            '["lightfm=1.17"]',
            "'lightfm=1.17' is no requirement as pip takes them; give the name",
        ),
        ('["no-such-lib==9.1.2"]', '["six", "lightfm>="]', "requirements: 'lightfm>=' is no requirement as pip takes"),
        ('["no-such-lib==9.1.2"]', 'open("x").read()', "requirements is computed; assign it plain values, once"),
        ('python = "3.12"', "python = 3.12", "python is 3.12; give a version as a text"),
        ('python = "3.12"', 'python = "3.9"', "python is '3.9'; omnibench's side of the process needs 3.11"),
        ("def fit(", "def fitt(", "has no function fit(task, fold)"),
        ("def rate(", "def rates(", "has no function rate(model, task, fold)"),
        ('"ratings": True', '"rating": True', "mylib.Rated: 'rating' says nothing; did you mean 'ratings'"),
        ('"Popularity": {', '"Popu-larity": {', "an algorithm cannot be named 'Popu-larity'"),
        ("def fit(", "def fit((", "is no Python: line 17, "),
        (
            "def fit(task, fold)",
            "def fit(task)",
            "line 17: fit(task) does not take what it is called with; write fit(task, fold).",
        ),
        ("def score(model, task, fold)", "def score(model, fold, *, k)", "score(model, fold, *, k) does not take what"),
        ("def version()", "def version(framework)", "write version()."),
        ('"ratings": True', '"ratings": "yes"', "mylib.Rated: 'ratings' is 'yes'; give True or False, or leave it out"),
        ('"ratings": True', '"gpu": "cuda", "ratings": True', "mylib.Rated: 'gpu' is 'cuda'; give True or False"),
        (
            '"ratings": True',
            '"ratings": True, "required": ["k"]',
            "mylib.Rated: 'required' is ['k']; give the hyperparameters without a default, each with an example",
        ),
        (
            '"ratings": True',
            '"ratings": True, "required": {"nope": 1}',
            "mylib.Rated: 'required' has 'nope', which is not among its parameters",
        ),
        (
            '"ratings": True',
            '"ratings": True, "aliases": {"zz": "k"}',
            "mylib.Rated: 'aliases' has 'zz', which is not among its parameters",
        ),
        (
            '"ratings": True',
            '"ratings": True, "memory": {"guest*items": 8}',
            "of which 'guest' is nothing that is counted. A term is guest, or a product of any of users, items, ",
        ),
        (
            '"ratings": True',
            '"ratings": True, "memory": {"itms*items": 8}',
            "mylib.Rated: 'memory' has the term 'itms*items', of which 'itms' is nothing that is counted; did you mean 'items'",
        ),
    ],
)
def test_what_an_adapter_says_wrongly_is_refused(adapter: Path, old: str, new: str, says: str) -> None:
    """Before any process starts, with the file and what to write."""
    assert ADAPTER.count(old) == 1
    adapter.write_text(ADAPTER.replace(old, new))
    assert says in refused(adapter)
    assert str(adapter) in refused(adapter) or "mylib." in refused(adapter)


def test_an_adapter_without_algorithms_or_scores_is_refused(adapter: Path) -> None:
    """Somebody has to say what it can do, and with what."""
    text = ADAPTER.replace("algorithms = {", "something = {")
    adapter.write_text(text)
    assert "algorithms is None; describe them" in refused(adapter)
    adapter.write_text(
        ADAPTER.replace("def score(", "def scored(").replace("def rate(", "def rated(").replace(', "ratings": True', "")
    )
    assert "has no function score(model, task, fold), or lists(model, task, fold)" in refused(adapter)
    adapter.write_text("from helper import *\n" + ADAPTER.replace("def fit(", "def fitted("))
    assert get_runner("mylib").name == "mylib"  # helper may have it


def test_the_lock_has_to_be_of_the_requirements(adapter: Path) -> None:
    """Without one, or with that of other requirements or of another Python, the command that makes it is named."""
    for old, new in (("9.1.2", "9.2"), ("3.12", "3.13")):
        adapter.write_text(ADAPTER.replace(old, new))
        assert "was made of other requirements (no-such-lib==9.1.2 on Python 3.12)" in refused(adapter)
        assert "`omnibench envs lock mylib` makes it anew" in refused(adapter)
    adapter.write_text(ADAPTER)
    adapter.with_suffix(".lock").unlink()
    assert "`omnibench envs lock mylib` makes it" in refused(adapter)
    assert "mylib" not in [runner.name for runner in runners()]
    assert "mylib" in runner_names()


def test_settings_that_name_no_python_files_are_refused(adapter: Path) -> None:
    """A file that is not there, one of another kind, two of one name, and a name that Python does not have."""
    settings = Path("pyproject.toml")
    for value, says in (
        ('"adapters/nolib.py"', "there is no file"),
        ('"adapters/mylib"', "adapters of frameworks are Python files"),
        ("3", "runners is 3; give a text, or a list of texts"),
    ):
        settings.write_text(f"[tool.omnibench]\nrunners = {value}\n")
        with pytest.raises(DataError, match=says):
            get_runner("mylib")
    (adapter.parent / "more").mkdir()
    (adapter.parent / "more" / "mylib.py").write_text(ADAPTER)
    settings.write_text('[tool.omnibench]\nrunners = "adapters/**/*.py"\n')
    assert "are both a framework named 'mylib'; rename a file" in refused(adapter)
    settings.write_text('[tool.omnibench]\nrunners = "adapters/*.py"\n')
    with pytest.raises(PlanError, match=r"cannot be named 'my-lib'; name its file as Python names things"):
        read_adapter(adapter.rename(adapter.with_name("my-lib.py")))


def test_keys_follow_the_code_and_the_locked_version(adapter: Path) -> None:
    """A comment, another package of the lock, and a helper that nobody uses change nothing; code and version do."""

    def key() -> str:
        plan = ExperimentPlan()
        plan.add_algorithm("mylib.Popularity")
        (configuration,) = plan.configurations()
        version = Environments("isolated").version(configuration.runner)
        return configuration.keyed(Circumstances(version, 42, "cpu")).key

    before, lock = key(), adapter.with_suffix(".lock")
    adapter.write_text("# a comment\n" + ADAPTER)
    (adapter.parent / "unused.txt").write_text("")
    lock.write_text(lock.read_text().replace("numpy==2.4.6", "numpy==2.4.7"))
    assert key() == before
    lock.write_text(
        lock.read_text()
        .replace("no-such-lib==9.1.2", "no-such-lib==9.1.3", 2)
        .replace("# no-such-lib==9.1.3", "# no-such-lib==9.1.2")
    )
    assert key() != before
    lock_by_hand(adapter)
    adapter.write_text(ADAPTER.replace('** parameters["power"]', '** -parameters["power"]'))
    assert key() != before
    adapter.write_text(
        ADAPTER.replace("import numpy as np", "import numpy as np\nimport helping").replace(
            "np.bincount", "helping.count"
        )
    )
    (adapter.parent / "helping.py").write_text("def count(items, minlength):\n    return 1\n")
    with_helper = key()
    (adapter.parent / "helping.py").write_text("def count(items, minlength):\n    return 2\n")
    assert key() != with_helper


def test_a_plugin_brings_a_framework(adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By an entry point that names a module, which is not imported; a file of the project of that name comes first."""
    package = tmp_path / "installed" / "my_plugin"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit\n")
    (package / "driver.py").write_text(ADAPTER)
    lock_by_hand(package / "driver.py")
    points = metadata.EntryPoints(
        [
            metadata.EntryPoint(name, f"my_plugin.{module}", adapters.GROUP)
            for name, module in (("theirs", "driver"), ("gone", "away"))
        ]
    )
    monkeypatch.setattr(metadata, "entry_points", points.select)
    adapters._entry_points.cache_clear()
    monkeypatch.syspath_prepend(str(package.parent))
    try:
        theirs = get_runner("theirs")
        assert (theirs.name, theirs.adapter_file) == ("theirs", package / "driver.py")
        assert framework("theirs").Rated == "theirs.Rated"
        for origin in (Origin.PROJECT, Origin.LIBRARY):
            monkeypatch.setattr(resolve, "origin_of", lambda _, origin=origin: origin)
            with pytest.raises(PlanError, match=r"in its module my_plugin\.away, which is not there; install it anew"):
                get_runner("gone")
        with pytest.raises(PlanError, match="which is not there"):
            runners()
        broken: list[OmnibenchError] = []
        assert "theirs" in [runner.name for runner in runners(broken.append)]
        assert "which is not there" in str(*broken)
        lock = package / "driver.lock"
        content = lock.read_text()
        lock.write_text("# made of something else\n")
        broken.clear()
        assert "theirs" not in [runner.name for runner in runners(broken.append)]
        assert any(
            "was made of other requirements" in str(error) and "comes with an installed package" in str(error)
            for error in broken
        )
        assert envs_spaces(Namespace(names=[], json=False)) == 0
        monkeypatch.setattr(scripts, "_RUNNER_REGISTRY", {})
        scripts.register_runner("Script", scripts.RunnerInfo(tmp_path / "script.py", ["A"], "3.11", []))
        with pytest.raises(PlanError, match="there is a runner named 'theirs' already"):
            scripts.register_runner("theirs", scripts.RunnerInfo(tmp_path / "script.py", ["A"], "3.11", []))
        lock.write_text(content)
        assert is_deterministic("LensKit.PopScorer")
        assert not is_deterministic("gone.Popularity")
        assert get_runner("theirs").adapter_package == [str(package.parent), "my_plugin"]
        mine = adapter.with_name("theirs.py")
        mine.write_text(ADAPTER)
        lock_by_hand(mine)
        assert get_runner("theirs").adapter_file == mine
    finally:
        adapters._entry_points.cache_clear()


def test_what_an_adapter_of_a_package_imports_is_part_of_its_key(tmp_path: Path) -> None:
    """By dots, or by the name of the package, whatever the path has."""
    package = tmp_path / "apart_from_the_path"
    package.mkdir()
    (package / "__init__.py").touch()
    for line in ("from .helping import count", "from apart_from_the_path.helping import count"):
        (package / "driver.py").write_text(f"{line}\n{ADAPTER.replace('np.bincount(', 'count(')}")
        digests = set()
        for result in (1, 2):
            (package / "helping.py").write_text(f"def count(items, minlength):\n    return {result}\n")
            digests.add(module_digest(package / "driver.py"))
        assert len(digests) == 2


def test_pins_are_read_with_hashes_and_without(tmp_path: Path) -> None:
    """Hashes, comments and markers are no part of a version."""
    lock = tmp_path / "a.lock"
    lock.write_text(
        "# x==1\na-b==1.0 \\\n    --hash=sha256:0 \\\n    --hash=sha256:1\nc==2.post1 ; python_version < '4'\nd==3  # d\n"
    )
    assert pins_of(lock) == {"a-b": "1.0", "c": "2.post1", "d": "3"}
