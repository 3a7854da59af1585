"""Runs of pytest inside of a test's process import what fresh processes do, and leave what cannot be imported twice."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.inner import modules_before, print_of, run_inside


def test_modules_of_a_directory_are_forgotten_and_those_of_packages_stay(pytester: pytest.Pytester) -> None:
    """What lies in directories of tests, or is a package without ``__init__.py`` there, is imported anew by the next run."""
    neighbours = pytester.mkdir("neighbours")
    (neighbours / "neighbour.py").write_text("")
    (pytester.mkdir("own_package") / "inner_module.py").write_text("")
    pytester.makepyfile(own_module="")
    pytester.makepyfile(
        test_imports=f"""
        import sys
        sys.path[:0] = [{str(pytester.path)!r}, {str(neighbours)!r}]
        def test_imports():
            import neighbour, own_module, own_package.inner_module, xml.dom.pulldom
        """
    )
    sys.modules.pop("xml.dom.pulldom", None)
    for _ in range(2):
        run_inside(pytester.path, "-p", "no:cacheprovider").assert_outcomes(passed=1)
        assert not {"neighbour", "own_module", "own_package", "own_package.inner_module"} & set(sys.modules)
    assert "xml.dom.pulldom" in sys.modules


def test_what_was_imported_before_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module of a test that is replaced or removed afterwards is the same again, and one of a package stays."""
    (tmp_path / "of_this_test.py").write_text("value = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    before = __import__("of_this_test")
    modules = modules_before()
    del sys.modules["of_this_test"]
    assert __import__("of_this_test") is not before
    modules.restore()
    assert sys.modules.pop("of_this_test") is before


def test_what_is_installed_beside_a_test_is_found(pytester: pytest.Pytester) -> None:
    """Distributions in directories of tests are looked up by each run, also when one has come since the last."""
    path = f"import sys; sys.path.insert(0, {str(pytester.path)!r})"
    pytester.makepyfile(
        beside="def pytest_report_header(): return 'the plugin is here'",
        test_versions=f"""
        {path}
        import importlib.metadata
        def test_versions():
            found = [found.metadata["Name"] for found in importlib.metadata.distributions()]
            print(len(found) > 10, found.count("pytest"), found.count("beside"), importlib.metadata.version("pytest"))
        """,
    )
    alone = run_inside(pytester.path, "-s", "-p", "no:cacheprovider")
    alone.stdout.fnmatch_lines([f"*True 1 0 {pytest.__version__}*"])
    alone.stdout.no_fnmatch_line("the plugin is here*")
    information = pytester.mkdir("beside-1.dist-info")
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: beside\nVersion: 1\n")
    (information / "entry_points.txt").write_text("[pytest11]\nbeside = beside\n")
    pytester.syspathinsert()
    found = run_inside(pytester.path, "-s", "-p", "no:cacheprovider")
    found.stdout.fnmatch_lines(["the plugin is here*", f"*True 1 * {pytest.__version__}*"])


@pytest.mark.inner
def test_a_command_imports_the_files_as_they_are_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that the test's process has imported, and that was changed since, is read anew by what runs inside of it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    module = tmp_path / "changing.py"
    module.write_text("value = 'the first text'\n")
    before = __import__("changing")
    module.write_text("value = 'quite another text'\n")
    (tmp_path / "test_value.py").write_text("import changing\n\ndef test_value():\n    assert changing.value == ''\n")
    printed = print_of(["pytest", "-p", "no:cacheprovider", "-p", "no:hypothesispytest"])
    assert "quite another text" in printed
    assert "1 failed" in printed
    assert sys.modules.pop("changing") is before
