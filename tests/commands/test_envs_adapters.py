"""``omnibench envs new``, ``lock`` and ``check``: a framework from its first file to its results."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.projects import Project

from omnibench.commands.main import main
from omnibench.runners.adapter_file import read_adapter
from omnibench.runners.lock_file import GUEST_NEEDS

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
NEW = ("envs", "new", "tiny", "--requirement", "six==1.16.0", "--python", PYTHON)
SETTINGS = '[tool.omnibench]\nrunners = ["adapters/tiny.py"]\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return why a command is refused."""
    assert main([*arguments]) != 0
    return capsys.readouterr().err


def test_a_new_adapter_is_complete_and_says_what_comes_next(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It can be read as it is; what its project does not name yet is said, and nothing is written twice."""
    assert main([*NEW]) == 0
    out = capsys.readouterr().out
    assert 'add to pyproject.toml: [tool.omnibench] runners = ["adapters/tiny.py"]' in out
    assert "`omnibench envs lock tiny`" in out
    adapter = read_adapter(folder / "adapters" / "tiny.py")
    assert (adapter.requirements, adapter.python, [*adapter.algorithms]) == (("six==1.16.0",), PYTHON, ["Popularity"])
    assert "tiny.py is there already" in refused(capsys, *NEW)
    (folder / "pyproject.toml").write_text("[tool.omnibench]\n")
    assert main([*NEW[:2], "other", *NEW[3:]]) == 0
    assert (
        f'add to [tool.omnibench] runners in {folder / "pyproject.toml"}: "adapters/other.py"'
        in capsys.readouterr().out
    )


def test_an_adapter_that_the_project_names_already_can_be_begun(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Settings come first for some: neither its own file nor another that is yet to be written is missed."""
    (folder / "pyproject.toml").write_text('[tool.omnibench]\nrunners = ["adapters/tiny.py", "adapters/later.py"]\n')
    assert main([*NEW]) == 0
    assert "add to" not in capsys.readouterr().out
    assert "there is no file" in refused(capsys, "envs", "list", "tiny")
    assert main([*NEW[:2], "later", *NEW[3:]]) == 0
    assert "a framework named 'tiny' already" in refused(capsys, *NEW)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("action", ["algorithms", "catalogue"])
def test_actions_about_frameworks_refuse_classes(action: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Alone and beside a framework, of which nothing is shown then."""
    for names in (["own.py::Foo"], ["LensKit", "own.py::Foo"], ["own.py::Foo", "LensKit"], ["own.py"]):
        said = refused(capsys, "envs", action, *names)
        assert f"`omnibench envs {action}` is about the algorithms of frameworks, and 'own.py" in said
        assert "give names of frameworks, e.g. LensKit" in said


@pytest.mark.usefixtures("folder")
def test_what_cannot_be_begun_or_locked_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Names that are taken or that Python does not have, requirements that are none, frameworks that are no files."""
    for name, says in (("my-lib", "cannot be named 'my-lib'"), ("LensKit", "a framework named 'LensKit' already")):
        assert says in refused(capsys, *NEW[:2], name, *NEW[3:])
    for requirement in ("==3", "scikit learn", "six 1.16", "lightfm=1.17", "lightfm>=", "lightfm==", ""):
        said = refused(capsys, "envs", "new", "tiny", "--requirement", requirement)
        assert f"--requirement is {requirement!r}; give the name of a package" in said
    assert "--python is '3.8'; omnibench's side" in refused(capsys, *NEW[:-1], "3.8")
    assert not Path("adapters").exists()
    assert "LensKit is no file of the project" in refused(capsys, "envs", "lock", "LensKit")
    assert "`omnibench envs new mylib --requirement ...` begins one" in refused(capsys, "envs", "check", "mylib")


@pytest.mark.usefixtures("folder")
def test_an_adapter_that_the_project_does_not_name_yet_is_pointed_at(capsys: pytest.CaptureFixture[str]) -> None:
    """By whoever forgets the second step of three: a new one would be refused, since its file is there."""
    assert main(["envs", "new", "mylib", "--requirement", "lightfm==1.17"]) == 0
    for command in ("lock", "check"):
        error = refused(capsys, "envs", command, "mylib")
        assert (
            'adapters/mylib.py is there: add it to pyproject.toml, [tool.omnibench] runners = ["adapters/mylib.py"]'
            in error
        )
    assert "`omnibench envs new other --requirement ...` begins one" in refused(capsys, "envs", "lock", "other")


def test_requirements_that_nobody_can_satisfy_are_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With uv's own words, and no lock is left or changed."""
    main([*NEW])
    (folder / "pyproject.toml").write_text(SETTINGS)
    adapter = folder / "adapters" / "tiny.py"
    adapter.write_text(adapter.read_text().replace("six==1.16.0", "six==0.0.0.999"))
    error = refused(capsys, "envs", "lock", "tiny")
    assert "uv finds no versions that satisfy the requirements" in error
    assert "six==0.0.0.999" in error
    assert not adapter.with_suffix(".lock").exists()


@pytest.mark.guests
def test_from_the_first_file_to_results(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """Locked with hashes, built and run; a changed adapter runs again, and what it does wrong is explained."""
    assert main([*NEW]) == 0
    path = project.pytester.path
    (path / "pyproject.toml").write_text(SETTINGS)
    assert main(["envs", "lock", "tiny"]) == 0
    out = capsys.readouterr().out
    assert "six 1.16.0" in out
    assert "numpy " in out  # which, with scipy, its side of the process needs
    lock = (path / "adapters" / "tiny.lock").read_text()
    assert lock.startswith(f"# six==1.16.0 on Python {PYTHON}\n")
    assert lock.count("==") == 4  # its heading, six, numpy and scipy
    assert lock.count("--hash=sha256:") > 3
    assert main(["envs", "lock"]) == 0
    assert "tiny: as before" in capsys.readouterr().out
    project.bench('plan.add_algorithm(framework("tiny").Popularity, {"power": Grid([1.0, 2.0])})', metrics="NDCG(10)")
    project.run("-k", "fold_0").stdout.fnmatch_lines(["*tiny.Popularity*", "*2 passed*"])
    adapter = path / "adapters" / "tiny.py"
    text = adapter.read_text()
    adapter.write_text(text.replace("}, parameters\n", "}\n"))
    project.run("-k", "fold_0").stdout.fnmatch_lines(["*fit returned dict; return the model and a dictionary*"])
    adapter.write_text(text.replace("import numpy as np\n", "import numpy as np\nimport pandas\n"))
    project.run("-k", "fold_0").stdout.fnmatch_lines(["*No module named 'pandas'*has to stand in its requirements*"])


@pytest.mark.guests
@pytest.mark.inner
@pytest.mark.slow
def test_the_oldest_numpy_and_scipy_are_enough(folder: Path) -> None:
    """Frameworks that nobody maintains any more want them: omnibench's side of the process works with both."""
    oldest = [word for need in GUEST_NEEDS for word in ("--requirement", need.replace(">=", "=="))]
    assert main(["envs", "new", "old", *oldest, "--python", "3.11"]) == 0
    (folder / "pyproject.toml").write_text(SETTINGS.replace("tiny", "old"))
    assert main(["envs", "lock", "old"]) == 0
    assert main(["envs", "check", "old"]) == 0


@pytest.mark.guests
@pytest.mark.inner
@pytest.mark.slow
def test_the_contract_of_a_new_adapter_holds(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """By the test beside it, and by one made for all its algorithms where there is none; a broken one fails."""
    main([*NEW])
    (folder / "pyproject.toml").write_text(SETTINGS)
    assert main(["envs", "lock", "tiny"]) == 0
    assert main(["envs", "check", "tiny"]) == 0
    (folder / "adapters" / "test_tiny.py").unlink()
    adapter = folder / "adapters" / "tiny.py"
    adapter.write_text(adapter.read_text().replace("np.tile(", "-np.arange(1e9) * np.tile("))
    assert main(["envs", "check"]) == 1
    assert "test_recommends" in capfd.readouterr().out


def test_what_is_wrong_with_one_framework_keeps_nobody_from_the_others(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All others are listed; each that is broken is named with what to do about it, and the exit status says so."""
    main([*NEW])
    (folder / "pyproject.toml").write_text('[tool.omnibench]\nrunners = ["adapters/*.py", "adapters/gone.py"]\n')
    tiny = folder / "adapters" / "tiny.py"
    tiny.with_suffix(".lock").write_text(f"{read_adapter(tiny).lock_request.heading}\nsix==1.16.0\n")
    text = tiny.read_text()
    tiny.with_name("misspelt.py").write_text(text.replace('"parameters"', '"parameter"'))
    tiny.with_name("unreadable.py").write_text("def fit(:\n")
    capsys.readouterr()
    assert main(["envs", "list"]) == 2
    listed, said = capsys.readouterr()
    assert [line.split()[0] for line in listed.splitlines() if not line.startswith(" ")] == [
        *("LensKit", "RecBole", "RecPack", "Implicit", "Cornac", "Surprise", "RecTools", "tiny"),
    ]
    missing, misspelt, unreadable = said.splitlines()
    assert "there is no file" in missing
    assert "gone.py'; check the path." in missing
    assert "misspelt.Popularity: 'parameter' says nothing; did you mean 'parameters'? There is " in misspelt
    assert "unreadable.py is no Python: line 1, invalid syntax; correct that line." in unreadable
    assert main(["envs", "list", "tiny"]) == 2  # by its name, the path is to be right
    assert "gone.py'; check the path." in capsys.readouterr().err
    (folder / "pyproject.toml").write_text('[tool.omnibench]\nrunner = ["adapters/*.py"]\n')
    assert main(["envs", "algorithms"]) == 2
    listed, said = capsys.readouterr()
    assert "LensKit.EASEScorer" in listed
    assert "[tool.omnibench]" in said
    for name in ("gone.py", "misspelt.py", "unreadable.py"):
        tiny.with_name(name).unlink(missing_ok=True)
    (folder / "pyproject.toml").write_text('[tool.omnibench]\nrunners = ["adapters/*.py"]\n')
    assert main(["envs", "list"]) == 0


def test_what_is_wrong_with_one_class_keeps_nobody_from_the_others(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A class whose lock lies beside it and whose file cannot be read any more is named behind all others."""
    (folder / "shop.py").write_text("class Booster(:\n")
    (folder / "shop.Booster.lock").write_text("# six\n")
    assert main(["envs", "list"]) == 2
    listed, said = capsys.readouterr()
    assert "RecTools" in listed
    assert "shop.py cannot be read" in said
    assert main(["envs", "list", "LensKit", "shop.py::Booster"]) == 2
    assert capsys.readouterr().out == ""
