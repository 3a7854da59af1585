"""Bench functions are pytest's own functions to whoever writes them: fixtures, parameters, classes, marks, assertions."""

from __future__ import annotations

import sys

import pexpect
import pytest
from support.projects import Project

HEAD = """
import pytest
from bench_tiny import Evaluator, ExperimentPlan, HR, NDCG, Popular, benchmark, data, plan
few = Evaluator(NDCG([5, 10]), HR(10))
"""


@pytest.fixture
def bench(project: Project) -> Project:
    """A project whose inner runs write down what happens in ``told.txt``."""
    project.pytester.makeconftest(
        """
        import pytest
        def tell(*words):
            with open("told.txt", "a") as file:
                print(*words, file=file)
        @pytest.fixture
        def say(request):
            return lambda *words: tell(request.node.name.partition("/fold_")[2], *words)
        """
    )
    return project


def told(project: Project) -> list[str]:
    """What the bodies and fixtures of the last run have told, in order."""
    path = project.pytester.path / "told.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return lines


def ended(result: pytest.RunResult) -> dict[str, int]:
    """How the items of a run ended; what an earlier item of the run has computed is as good as passed."""
    counts = result.parse_summary_nouns(result.stdout.lines)
    counts["passed"] = counts.get("passed", 0) + counts.pop("cached", 0)
    return counts


def ids_of(project: Project, *arguments: str) -> list[str]:
    """The node ids that pytest lists."""
    listed = project.run("--collect-only", "-q", *arguments)
    return [line for line in listed.stdout.lines if "::" in line]


FIXTURES = (
    HEAD
    + """
from conftest import tell

@pytest.fixture(scope="session")
def whole(): tell("session begins"); yield "s"; tell("session ends")

@pytest.fixture(scope="module", params=[1, 2], ids=["one", "two"])
def numbered(request, whole): tell("module", request.param, "begins"); yield request.param; tell("module ends")

@pytest.fixture(autouse=True)
def always(say): say("auto begins"); yield; say("auto ends")

@pytest.fixture
def threshold(request): return getattr(request, "param", 0.0)

@pytest.fixture(scope="class")
def shared(request): return [request.cls]

@benchmark(data, plan, few)
def bench_scopes(numbered, result, whole, say, shared):
    assert shared == [None], "outside of classes, each item has a fixture of this scope for itself"
    shared.append(1)
    say("body", numbered, whole, "NDCG@10" in result.metrics)

@pytest.mark.parametrize("threshold", [0.0, 2.0], indirect=True, ids=["low", "high"])
@pytest.mark.parametrize("label", [pytest.param("NDCG@5", id="a/b::c[d] é"), "HR@10"])
@benchmark(data, plan, few)
def bench_parameters(result, label, threshold, tmp_path, request):
    assert tmp_path.is_dir()
    assert result[label] >= threshold

@pytest.mark.usefixtures("whole")
@benchmark(data, plan, few)
def bench_without_result(): tell("no result needed")
"""
)


def test_fixtures_and_parameters(bench: Project) -> None:
    """Fixtures of every scope, autouse, with params, indirect; ids with odd characters; and each id selects its item."""
    bench.pytester.makepyfile(bench_fixtures=FIXTURES)
    result = bench.run("bench_fixtures.py")
    # Two folds each: 2 numbers; 2 labels x 2 thresholds, of which the high one fails; one without parameters.
    assert ended(result) == {"passed": 4 + 4 + 2, "failed": 4}
    assert bench.count_fits() == 2, "parameters of the body are no parameters of the experiment"
    lines = told(bench)
    assert lines[0] == "session begins"
    assert lines[-1] == "session ends"
    assert lines.count("session begins") == 1
    assert [line for line in lines if line.startswith("module")] == [
        *("module 1 begins", "module ends"),
        *("module 2 begins", "module ends"),
    ]
    assert {line for line in lines if "body" in line} == {f"{f}[{i}] body {n} s True" for f in "01" for i, n in PAIRS}
    assert [sum(line.endswith(f"auto {what}") for line in lines) for what in ("begins", "ends")] == [14, 14]
    result.stdout.fnmatch_lines([">*assert result[[]label[]] >= threshold", "E*assert 1.0 >= 2.0"])
    ids = ids_of(bench, "bench_fixtures.py")
    assert len(ids) == len(set(ids)) == 14
    odd = [one for one in ids if "high" in one and "a/b" in one]
    assert len(odd) == 2
    once = bench.run("-v", odd[0])
    once.assert_outcomes(failed=1)
    (line,) = [line for line in once.stdout.lines if "FAILED" in line and "%" in line]
    assert line.startswith(odd[0])
    assert bench.count_fits() == 2


PAIRS = (("one", 1), ("two", 2))


def test_every_id_selects_exactly_its_item(bench: Project) -> None:
    """What --collect-only lists is what an explorer sends back: each id alone, and all of them, select just that.

    VS Code's adapter (``vscode_pytest`` of microsoft/vscode-python) shows an item below classes that stand in a file,
    by their node ids; one with parameters, whose name it cuts at the bracket, only there.
    """
    bench.pytester.makepyfile(bench_fixtures=FIXTURES, bench_classes=CLASSES)
    bench.pytester.makepyfile(
        round_trip="""
        import contextlib, io, json, sys
        import pytest
        class Listing:
            def pytest_collection_finish(self, session):
                self.ids = [item.nodeid for item in session.items]
                hidden.extend(item.nodeid for item in session.items if not is_shown(item))
        hidden = []
        def is_shown(item):
            above, below = item.parent, item
            while isinstance(above, pytest.Class) and below.nodeid == f"{above.nodeid}::{below.name}":
                above, below = above.parent, above
            if hasattr(item, "callspec") and not item.name.startswith(item.originalname + "["):
                return False
            return isinstance(above, pytest.File)
        def ids(*arguments):
            listing = Listing()
            with contextlib.redirect_stdout(io.StringIO()):
                pytest.main(["--collect-only", "-q", *arguments], [listing])
            return listing.ids
        every = ids()
        assert len(every) > 20, every
        assert ids(*every) == every
        assert [one for one in every if ids(one) != [one]] == []
        assert hidden == []
        """
    )
    run = bench.pytester.run(sys.executable, "round_trip.py")
    assert run.ret == 0, run.stderr.str()


def test_the_command_of_a_failure_runs_just_that_item(project: Project) -> None:
    """What a failed phase prints is for a shell: any name, from a directory below, with the options that matter."""
    project.bench(plan="plan.add_algorithm(Broken)")
    below = project.pytester.mkdir("it's below")
    (below / "bench_odd.py").write_text(
        HEAD.replace(", Popular", "")
        + """
class TestOdd:
    @pytest.mark.parametrize("k", ["a 'b' $HOME", "c"])
    @benchmark(data, plan, few)
    def bench_odd(self, result, k): ...
"""
    )
    project.pytester.makefile(".ini", other="[pytest]\npythonpath = .\naddopts = -p no:cacheprovider\n")
    arguments = ["-c", "other.ini", "--omnirec-checkpoint-dir", "some where", "it's below", "-k", "fold_1 and HOME"]
    failed = project.run(*arguments)
    failed.assert_outcomes(failed=1, deselected=3)
    (command,) = [line for line in failed.stdout.lines if line.startswith("Run only this item: pytest ")]
    again = project.pytester.run("sh", "-c", f"{sys.executable} -m {command.partition(': ')[2]}")
    again.assert_outcomes(failed=1)
    assert command in again.stdout.lines
    assert [path.name for path in project.pytester.path.glob("*/store")] == ["store"], "the same records"


CLASSES = (
    HEAD
    + """
from conftest import tell

@pytest.fixture(scope="class", autouse=True)
def whole(request): tell(request.cls.__name__, "fixture begins")

class Base:
    least = 0.0

    @classmethod
    def setup_class(cls): tell(cls.__name__, "class begins")

    def setup_method(self, method): self.fresh = "fresh"; tell(type(self).__name__, "method", method.__name__)

    @pytest.fixture
    def doubled(self): return self.least * 2

    @benchmark(data, plan, few)
    def bench_inherited(self, result, doubled):
        tell(type(self).__name__, "body", self.least, doubled, self.fresh)
        self.fresh = "used"
        assert result["NDCG@10"] >= self.least

class BenchStrict(Base):
    least = 2.0

@pytest.mark.skip(reason="the whole class")
class BenchSkipped(Base):
    pass

class BenchLenient(Base):
    @pytest.mark.parametrize("k", [5, 10])
    @benchmark(data, plan, few)
    def bench_own(self, k, result): assert f"NDCG@{k}" in result.metrics

    def test_ordinary(self): assert self.fresh == "fresh"
"""
)


def test_classes(bench: Project) -> None:
    """Methods get an instance of their own each, setup_class and setup_method, inherited ones too; marks of the class."""
    bench.pytester.makepyfile(bench_classes=CLASSES)
    bench.pytester.makeini(
        "[pytest]\npythonpath = .\npython_classes = Base Bench*\naddopts = -p no:cacheprovider -p no:hypothesispytest\n"
    )
    result = bench.run("bench_classes.py", "-rs", "--tb=short")
    # Base: 2 folds pass; BenchStrict: 2 fail; BenchSkipped: 2 skipped; BenchLenient: 2 inherited, 4 of its own, 1 test.
    assert ended(result) == {"passed": 2 + 2 + 4 + 1, "failed": 2, "skipped": 2}
    lines = told(bench)
    for name, least in (("Base", 0.0), ("BenchStrict", 2.0), ("BenchLenient", 0.0)):
        assert lines.count(f"{name} class begins") == lines.count(f"{name} fixture begins") == 1
        assert lines.count(f"{name} body {least} {2 * least} fresh") == 2
    assert "BenchStrict method bench_inherited" in lines
    assert not [line for line in lines if line.startswith("BenchSkipped body")]
    result.stdout.fnmatch_lines(["*bench_classes.py:*: in bench_inherited*", "*SKIPPED*the whole class*"])
    assert not [line for line in result.stdout.lines if line.startswith("    def bench_inherited")], "--tb=short counts"
    cached = bench.run("bench_classes.py", "-q", "-n", "1")
    counts = cached.parse_summary_nouns([cached.stdout.lines[-1]])
    assert counts == {"cached": 8, "passed": 1, "failed": 2, "skipped": 2}
    assert bench.count_fits() == 2


MARKS = (
    HEAD
    + """
def declared(**more):
    return benchmark(data, plan, few)

@pytest.mark.xfail(strict=True, reason="too good")
@benchmark(data, plan, few)
def bench_strict(result): assert result["NDCG@10"] >= 0

@pytest.mark.xfail(reason="known", raises=AssertionError)
@benchmark(data, plan, few)
def bench_known(result): assert result["NDCG@10"] > 2

@pytest.mark.skipif("True", reason="by condition")
@benchmark(data, plan, few)
def bench_skipped(result): ...

@pytest.mark.parametrize("k", [5, pytest.param(10, marks=[pytest.mark.skip(reason="of a parameter"), pytest.mark.own])])
@benchmark(data, plan, few)
def bench_param(result, k): ...

@pytest.mark.own
@benchmark(data, plan, few)
def bench_says(result):
    import warnings
    print("in the body")
    warnings.warn("a warning of the body")
    if result.fold == 1: pytest.skip("in the body")
"""
)


def test_marks(bench: Project) -> None:
    """skip, skipif, xfail (strict too), marks of parameters and -m do what they do on tests, computed or cached."""
    bench.pytester.makepyfile(bench_marks=MARKS)
    bench.pytester.makeini(
        "[pytest]\npythonpath = .\nmarkers = own: mine\nminversion = 8\nxfail_strict = false\n"
        "addopts = --strict-markers -p no:cacheprovider -p no:hypothesispytest\n"
    )
    counts = []
    for _ in range(2):
        result = bench.run("bench_marks.py", "-rsxX", "-W", "default")
        counts.append(ended(result))
        result.stdout.fnmatch_lines_random(
            ["*XPASS(strict)*", "*XFAIL*known*", "*by condition*", "*of a parameter*", "*a warning of the body*"]
        )
    # strict: 2 failed; known: 2 xfailed; skipif: 2; parameters: 2 and 2 skipped; says: 1 and 1 skipped.
    expected = {"failed": 2, "xfailed": 2, "skipped": 2 + 2 + 1, "passed": 2 + 1, "warnings": 2}
    assert counts == [expected, expected]
    selected = bench.run("bench_marks.py", "-m", "own")
    assert selected.parse_summary_nouns(selected.stdout.lines)["deselected"] == 2 + 2 + 2 + 2


def test_assertions_show_values(project: Project) -> None:
    """A failing assertion in a body, and in a helper of a bench file, shows the values that were compared."""
    project.bench(body='floor = 2\n    assert result["NDCG@10"] > floor, "too low"')
    result = project.run("-k", "fold_0")
    result.assert_outcomes(failed=1, deselected=1)
    result.stdout.re_match_lines([r"E +AssertionError: too low", r"E +assert 0\.\d+ > 2"])
    result.stdout.fnmatch_lines([">*assert result*NDCG@10*> floor*"])
    short = project.run("-k", "fold_0", "--tb=line").stdout
    short.re_match_lines([r".*bench_tiny\.py:\d+: AssertionError.*"])
    short.no_re_match_line(">.*")


def test_last_failed_finds_parametrized_items(bench: Project) -> None:
    """--lf and --ff know items by their ids, also those with brackets."""
    bench.pytester.makeini("[pytest]\npythonpath = .\n")
    bench.pytester.makepyfile(bench_fixtures=FIXTURES)
    assert ended(bench.run("bench_fixtures.py"))["failed"] == 4
    again = bench.run("--lf", "bench_fixtures.py")
    again.assert_outcomes(failed=4, deselected=10)


def test_pdb(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """--trace stops where the body begins, --pdb where it failed, with the result at hand; quitting ends the run."""
    project.bench(body='floor = 2\n    assert result["NDCG@10"] > floor')
    monkeypatch.setenv("PYTHONPATH", str(project.pytester.path))
    monkeypatch.setenv("NO_COLOR", "1")
    child = pexpect.spawn(
        sys.executable, ["-m", "pytest", "--pdb", "--trace", "-k", "fold_0"], cwd=project.pytester.path, timeout=300
    )
    child.expect(r"PDB runcall")
    child.expect(r"\(Pdb\) ")
    child.sendline("c")
    child.expect(r"entering PDB")
    child.expect(r"\(Pdb\) ")
    child.sendline("p floor, round(result['HR@10'], 1) <= 1")
    child.expect(r"\(2, True\)")
    child.sendline("q")
    child.expect(r"1 failed")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 2
    assert project.count_fits() == 1


def test_what_would_not_run_as_written_is_refused(project: Project) -> None:
    """A unittest.TestCase, whose setUp would not run, and static methods are refused by name, not left out."""
    project.pytester.makepyfile(
        bench_case=HEAD.replace("import pytest", "import pytest, unittest")
        + """
class Case(unittest.TestCase):
    def setUp(self): self.least = 0
    @benchmark(data, plan, few)
    def bench_case(self, result): assert result["NDCG@10"] >= self.least

class Static:
    @staticmethod
    @benchmark(data, plan, few)
    def bench_static(result): assert result["NDCG@10"] > 2
"""
    )
    result = project.run("bench_case.py")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*Case is a unittest.TestCase*make it a class without a base.*"])
    result.stdout.fnmatch_lines(["*bench_static is a static or class method*use a plain method.*"])
    assert project.count_fits() == 0
