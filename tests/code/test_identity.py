"""What the key of a user's class or function covers: all that its results depend on in the project, and nothing else."""

from __future__ import annotations

import importlib
import itertools
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from omnibench import Apply, HitMetric
from omnibench.code import code_of
from omnibench.code.identity import Identity, identify
from omnibench.errors import PlanError
from omnibench.metrics.own import CalculatedMetric

Files = Mapping[str, str]
Read = Callable[..., Identity]

KNN = """
from model.util import order


class Knn:
    def fit(self, train):
        self.items = order(train)

    def recommend(self, users, k):
        return {user: self.items[:k] for user in users}
"""

UTIL = """
import math

SIGN = -1


def weight(value):
    return SIGN * value


def order(train):
    return sorted(train, key=weight)


def unrelated():
    return 1
"""

PROJECT = {"model/__init__.py": "", "model/knn.py": KNN, "model/util.py": UTIL}


@pytest.fixture
def loading(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Write the files of a project into a directory of its own and import one of them, as a fresh process would."""
    numbers = itertools.count()
    path, modules = list(sys.path), set(sys.modules)

    def forget() -> None:
        for loaded in set(sys.modules) - modules:
            file = str(getattr(sys.modules[loaded], "__file__", None) or "")
            if str(tmp_path) in file or loaded.partition(".")[0] in ("model", "nested"):
                del sys.modules[loaded]

    def load(files: Files, module: str = "model.knn", name: str = "Knn") -> Any:
        forget()
        folder = tmp_path / str(next(numbers))
        for file, text in files.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(text, encoding="utf-8")
        sys.path[:] = [str(folder), *path]
        importlib.invalidate_caches()
        return getattr(importlib.import_module(module), name)

    yield load
    sys.path[:] = path
    forget()


@pytest.fixture
def read(loading: Callable[..., Any]) -> Read:
    """Return the identity of a class of a project."""

    def identity(files: Files, module: str = "model.knn", name: str = "Knn") -> Identity:
        return identify(loading(files, module, name))

    return identity


def with_import(statement: str, call: str = "order(train)") -> str:
    """The class's file with another way to get at the helper."""
    return KNN.replace("from model.util import order", statement).replace("order(train)", call)


WAYS = {
    "from module": with_import("from model.util import order"),
    "renamed": with_import("from model.util import order as by", "by(train)"),
    "relative": with_import("from .util import order"),
    "relative module": with_import("from . import util", "util.order(train)"),
    "module of a package": with_import("from model import util", "util.order(train)"),
    "dotted": with_import("import model.util", "model.util.order(train)"),
    "dotted, renamed": with_import("import model.util as u", "u.order(train)"),
    "star": with_import("from model.util import *"),
    "relative star": with_import("from .util import *"),
    "in a method": with_import("", "(__import__('sys'), 1)")
    .replace("        self.items", "        from model.util import order\n        self.items", 1)
    .replace("(__import__('sys'), 1)", "order(train)"),
    "module in a method": with_import("", "helper.order(train)").replace(
        "        self.items", "        import model.util as helper\n        self.items", 1
    ),
    "in a try": with_import("try:\n    from model.util import order\nexcept ImportError:\n    order = sorted"),
    "in an if": with_import("import sys\nif sys.maxsize:\n    from model.util import order"),
    "by name": with_import("import importlib", 'importlib.import_module("model.util").order(train)'),
    "by getattr": with_import("from model import util", 'getattr(util, "or" + "der")(train)'),
}


@pytest.mark.parametrize("text", WAYS.values(), ids=WAYS.keys())
def test_a_helper_counts_however_it_is_imported(text: str, read: Read) -> None:
    """A helper's own helper and constant, in another file, change the key; its docstrings, comments and layout do not."""
    files = {**PROJECT, "model/knn.py": text}
    before = read(files)
    assert before.unfollowed == ()
    for change in [
        ("SIGN = -1", "SIGN = 1"),
        ("key=weight", "key=weight, reverse=True"),
        ("SIGN * value", "value * SIGN"),
    ]:
        assert read({**files, "model/util.py": UTIL.replace(*change)}).code != before.code
    documented = UTIL.replace("def order(train):", 'def order(train):  # sorts\n    """Sort."""\n')
    assert read({**files, "model/util.py": f'"""Helpers."""\n\n# more\n{documented}'}).code == before.code


@pytest.mark.parametrize(
    "name", ["from module", "renamed", "relative", "relative module", "dotted", "star", "in a method", "in a try"]
)
def test_what_is_not_used_of_a_module_does_not_count(name: str, read: Read) -> None:
    """Another function of the helper's module may change, come and go."""
    files = {**PROJECT, "model/knn.py": WAYS[name]}
    changed = UTIL.replace("return 1", "return 2") + "\n\ndef new():\n    pass\n"
    assert read({**files, "model/util.py": changed}).code == read(files).code


def test_packages_hand_on_what_is_theirs(read: Read) -> None:
    """A name that a package's __init__ imports from a module is followed into it; its other imports are not."""
    init = "from .util import order\nfrom .other import Other\n"
    files = {**PROJECT, "model/__init__.py": init, "model/other.py": "class Other:\n    pass\n"}
    files["model/knn.py"] = with_import("from model import order")
    before = read(files)
    assert read({**files, "model/util.py": UTIL.replace("-1", "1")}).code != before.code
    assert read({**files, "model/other.py": "class Other:\n    k = 1\n"}).code == before.code
    files["model/knn.py"] = with_import("import model", "model.order(train)")
    before = read(files)
    assert read({**files, "model/util.py": UTIL.replace("-1", "1")}).code != before.code


def test_what_a_package_or_module_does_when_it_is_imported_counts(read: Read) -> None:
    """Calls at the top level of what is imported, and modules that are imported for what they do."""
    noisy = {**PROJECT, "model/__init__.py": "import warnings\nwarnings.simplefilter('ignore')\n"}
    assert read(noisy).code != read(PROJECT).code
    setup = {**PROJECT, "model/knn.py": f"import model.setup\n{KNN}", "model/setup.py": "LEVEL = 1\n"}
    assert read({**setup, "model/setup.py": "LEVEL = 2\n"}).code != read(setup).code


def test_bases_of_other_files_count(read: Read) -> None:
    """A class that inherits what it computes is another one when that changes."""
    base = (
        "from model.util import order\n\n\nclass Base:\n    def fit(self, train):\n        self.items = order(train)\n"
    )
    text = "from model.base import Base\n\n\nclass Knn(Base):\n    def recommend(self, users, k):\n        return {}\n"
    files = {**PROJECT, "model/base.py": base, "model/knn.py": text}
    before = read(files)
    assert read({**files, "model/base.py": base.replace("order(train)", "order(train)[::-1]")}).code != before.code
    assert read({**files, "model/util.py": UTIL.replace("-1", "1")}).code != before.code


def test_namespace_packages_are_followed(read: Read) -> None:
    """Folders without an __init__ are packages, too."""
    files = {f"nested/deep/{Path(name).name}": text for name, text in PROJECT.items() if "init" not in name}
    files["nested/deep/knn.py"] = with_import("from nested.deep.util import order")
    changed = {**files, "nested/deep/util.py": UTIL.replace("-1", "1")}
    assert read(files, "nested.deep.knn").code != read(changed, "nested.deep.knn").code
    files["nested/deep/knn.py"] = changed["nested/deep/knn.py"] = with_import("from ..deep.util import order")
    assert read(files, "nested.deep.knn").code != read(changed, "nested.deep.knn").code


@pytest.mark.usefixtures("loading")  # which forgets what is imported here
def test_an_installed_class_is_followed_in_its_own_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who installs the project to test it, without a new version, still has another key for another helper."""

    def code(util: str, name: str) -> str:
        folder = f"{name}/site-packages"
        files = {f"{folder}/{file}": text for file, text in {**PROJECT, "model/util.py": util}.items()}
        monkeypatch.syspath_prepend(str(tmp_path / "0" / folder))
        for file, text in files.items():
            (tmp_path / "0" / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "0" / file).write_text(text)
        for loaded in [loaded for loaded in sys.modules if loaded.partition(".")[0] == "model"]:
            del sys.modules[loaded]
        return identify(importlib.import_module("model.knn").Knn).code

    assert code(UTIL, "a") == code(UTIL, "b") != code(UTIL.replace("-1", "1"), "c")


def test_which_of_two_helpers_is_used_counts(read: Read) -> None:
    """An import that gives the same name to something else is a change, although the class's own text is the same."""
    helpers = {"model/util.py": "def up(x):\n    return x\n\n\ndef down(x):\n    return -x\n"}
    one = {**PROJECT, **helpers, "model/knn.py": with_import("from model.util import up as order")}
    other = {**PROJECT, **helpers, "model/knn.py": with_import("from model.util import down as order")}
    assert read(one).code != read(other).code
    one["model/knn.py"] = with_import("from heapq import nsmallest as order")
    other["model/knn.py"] = with_import("from heapq import nlargest as order")
    assert read(one).code != read(other).code


def test_circles_of_imports_end(read: Read) -> None:
    """Two modules that import each other are read once each."""
    util = "def order(train):\n    from model import knn\n    return sorted(train, key=knn.KEY)\n"
    files = {**PROJECT, "model/knn.py": f"{KNN}\n\nKEY = None\n", "model/util.py": util}
    before = read(files)
    assert read({**files, "model/knn.py": f"{KNN}\n\nKEY = abs\n"}).code != before.code


def test_circles_of_imports_of_all_names_end(read: Read) -> None:
    """Two modules that import all names of each other, and use names that neither has, as `len`."""
    files = {
        **PROJECT,
        "model/knn.py": with_import("from model.util import *").replace("users}", "users[: len(users)]}"),
        "model/util.py": f"from model.more import *\n{UTIL}",
        "model/more.py": "from model.util import *\n",
    }
    before = read(files)
    assert read({**files, "model/util.py": files["model/util.py"].replace("-1", "1")}).code != before.code


REGISTRY = """
REGISTRY = {}


def register(function):
    REGISTRY[function.__name__] = function
    return function
"""
BY_DECORATOR = "@register\ndef cosine(train):\n    return sorted(train)\n"
BY_CALL = "def cosine(train):\n    return sorted(train)\n\n\nregister(cosine)\n"


def using(expression: str) -> str:
    """Return a class that orders items by an expression."""
    return KNN.replace("from model.util import order\n", "").replace("order(train)", expression)


BY_NAME = using('REGISTRY["cosine"](train)')
SUBCLASS = """
class Plugin:
    plugins = {}

    def __init_subclass__(cls):
        Plugin.plugins[cls.__name__] = cls


class Cosine(Plugin):
    def order(self, train):
        return sorted(train)
"""
PLAIN_SUBCLASS = """
class Plugin:
    pass


class Cosine(Plugin):
    def order(self, train):
        return sorted(train)
"""
BY_HELPER = """
REGISTRY = {}


def _add(function):
    REGISTRY[function.__name__] = function
    return function


def register(function):
    return _add(function)


"""
OBJECT = """
class Registry(dict):
    def add(self, function):
        self[function.__name__] = function
        return function


REGISTRY = Registry()


@REGISTRY.add
def cosine(train):
    return sorted(train)
"""
REGISTRATIONS: dict[str, dict[str, str]] = {
    "in another module": {
        "model/util.py": REGISTRY + BY_DECORATOR,
        "model/knn.py": f"from model.util import REGISTRY\n{BY_NAME}",
    },
    "in the class's module": {"model/knn.py": REGISTRY + BY_DECORATOR + BY_NAME},
    "by a call": {"model/knn.py": REGISTRY + BY_CALL + BY_NAME},
    "by a helper of the decorator": {
        "model/util.py": BY_HELPER + BY_DECORATOR,
        "model/knn.py": "from model import util\n" + using('util.REGISTRY["cosine"](train)'),
    },
    "in a module that only the package imports": {
        "model/__init__.py": "from . import plugins\n",
        "model/util.py": REGISTRY,
        "model/plugins.py": f"from .util import register\n{BY_DECORATOR}",
        "model/knn.py": f"from .util import REGISTRY\n{BY_NAME}",
    },
    "by a method": {"model/util.py": OBJECT, "model/knn.py": f"from model.util import REGISTRY\n{BY_NAME}"},
    "as a subclass": {
        "model/util.py": SUBCLASS,
        "model/knn.py": "from model.util import Plugin\n" + using('Plugin.plugins["Cosine"]().order(train)'),
    },
    "as a subclass that is asked for": {
        "model/util.py": PLAIN_SUBCLASS,
        "model/knn.py": "from model.util import Plugin\n" + using("Plugin.__subclasses__()[0]().order(train)"),
    },
}


@pytest.mark.parametrize("way", REGISTRATIONS)
def test_what_registers_itself_counts(way: str, read: Read) -> None:
    """A function or class that nobody names, but that a decorator, a call or a base class puts where it is found."""
    files = {**PROJECT, **REGISTRATIONS[way]}
    changed = {name: text.replace("sorted(train)", "sorted(train)[::-1]") for name, text in files.items()}
    assert read(changed).code != read(files).code


NOTES = """
OTHERS = []


def note(function):
    OTHERS.append(function)
    return function


@note
def cosine(train):
    return sorted(train)
"""


def test_what_registers_itself_elsewhere_does_not_count(read: Read) -> None:
    """A decorator that changes nothing which the class uses brings nothing in."""
    files = {**PROJECT, "model/util.py": UTIL + NOTES}
    changed = {**PROJECT, "model/util.py": UTIL + NOTES.replace("sorted(train)", "sorted(train)[::-1]")}
    assert read(changed).code == read(files).code


@pytest.mark.parametrize(
    "text",
    [
        "for SIGN in (1, -1):\n    pass\n",
        "import contextlib\n\nwith contextlib.nullcontext(-1) as SIGN:\n    pass\n",
        "(SIGN := -1)\n",
        "match (-1, 2):\n    case (SIGN, _):\n        pass\n",
    ],
)
def test_values_that_no_assignment_gives_count(text: str, read: Read) -> None:
    """What a loop, a `with`, a `case` or a `:=` at the top level of a helper gives to a name."""
    files = {**PROJECT, "model/util.py": UTIL.replace("SIGN = -1\n", text)}
    changed = {**PROJECT, "model/util.py": UTIL.replace("SIGN = -1\n", text.replace("-1", "-2"))}
    assert read(changed).code != read(files).code


def test_a_loop_of_a_bench_file_is_no_matter_of_local_variables(read: Read) -> None:
    """A loop that makes a plan, with a variable that is called like an argument: neither the key nor the old one changes."""
    loop = "\n\nfor k in (10, 20):\n    print(k)\n"
    plain = read({**PROJECT, "model/knn.py": using("sorted(train)")})
    looped = read({**PROJECT, "model/knn.py": using("sorted(train)") + loop})
    assert (looped.code, looped.before) == (plain.code, plain.before)
    used = using("sorted(train)[:LAST]")
    looped = read({**PROJECT, "model/knn.py": used + loop.replace("k", "LAST")})
    assert looped.before == read({**PROJECT, "model/knn.py": used}).code != looped.code


def test_nothing_is_imported_to_find_out(read: Read) -> None:
    """A module that is imported in a method only is read, not run."""
    text = WAYS["module in a method"]
    files = {**PROJECT, "model/knn.py": text, "model/util.py": f"raise SystemExit\n{UTIL}"}
    assert read(files).unfollowed == ()


def test_only_types_are_not_followed(read: Read) -> None:
    """What is imported for type checkers alone is not there when the code runs."""
    text = f"from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from model.kinds import Kind\n{KNN}"
    files = {
        **PROJECT,
        "model/knn.py": text.replace("self, train", 'self, train: "Kind"'),
        "model/kinds.py": "Kind = 1\n",
    }
    assert read({**files, "model/kinds.py": "Kind = 2\n"}).code == read(files).code


def test_the_versions_of_distributions_count(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of what the class, or a helper that it uses, imports; not those of what stands beside it in the file."""
    from omnibench.code import distributions

    # Of importlib_metadata where somebody has imported that, as Dask does.
    bases = type(metadata.distribution("numpy")).__mro__
    distribution: Any = next(base for base in bases if "version" in vars(base))
    real = distribution.version.fget

    def upgraded(name: str) -> str:
        distributions.distributions_of.cache_clear()

        def version(self: metadata.Distribution) -> str:
            return "99" if self.metadata["Name"] == name else str(real(self))

        with monkeypatch.context() as patch:
            patch.setattr(distribution, "version", property(version))
            code = read(files).code
        distributions.distributions_of.cache_clear()
        return code

    util = UTIL.replace("sorted(train, key=weight)", "np.sort(train)")
    files = {**PROJECT, "model/util.py": f"import numpy as np\nimport pandas as pd\n\nFRAME = pd.DataFrame()\n{util}"}
    assert upgraded("numpy") != read(files).code
    assert upgraded("pandas") == read(files).code
    files = {**PROJECT, "model/knn.py": with_import("from sklearn.preprocessing import normalize as order")}
    assert upgraded("scikit-learn") != read(files).code  # which is not called like its module


def test_a_library_that_is_not_there_is_none(read: Read) -> None:
    """An optional import changes the key once it can be imported; one that has to be there and is not is said."""
    optional = "try:\n    import no_such_library as np\nexcept ImportError:\n    np = None\n"
    files = {**PROJECT, "model/knn.py": with_import(optional, "np and train")}
    assert read(files).unfollowed == ()
    files["model/knn.py"] = with_import("", "order(train)").replace(
        "        self.items", "        from no_such_library import order\n        self.items", 1
    )
    assert read(files).unfollowed == ("the module no_such_library, which cannot be found",)


NAMED = KNN.replace("class Knn:", 'class Knn:\n    depends_on = ["weights.csv"]\n')


def test_files_that_a_class_names_count(read: Read) -> None:
    """Their content, beside the class's file, whoever inherits the attribute; folders and patterns stand for what they hold."""
    files = {**PROJECT, "model/knn.py": NAMED, "model/weights.csv": "1"}
    before = read(files)
    assert read(files).code == before.code
    assert read({**files, "model/weights.csv": "2"}).code != before.code
    heir = "from model.knn import Knn\n\n\nclass Heir(Knn):\n    pass\n"
    codes = {read({**files, "heir.py": heir, "model/weights.csv": text}, "heir", "Heir").code for text in "12"}
    assert len(codes) == 2
    for name in ("../data", "../data/*.csv", "../data/**/*.csv"):
        files["model/knn.py"] = NAMED.replace("weights.csv", name)
        codes = {
            read({**files, "data/a.csv": "1", "data/b.csv": "2"}).code,
            read({**files, "data/a.csv": "1", "data/b.csv": "3"}).code,
            read({**files, "data/a.csv": "1", "data/c.csv": "2"}).code,
            read({**files, "data/a.csv": "1"}).code,
        }
        assert len(codes) == 4
    hidden = {"data/.DS_Store": "1", "data/__pycache__/a.pyc": "1"}
    files = {**files, "model/knn.py": NAMED.replace("weights.csv", "../data"), "data/a.csv": "1"}
    assert read({**files, **hidden}).code == read(files).code


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (
            '["weigths.csv"]',
            r"Knn: depends_on names 'weigths.csv', but there is no such file in .*model; correct the name",
        ),
        ('["*.parquet"]', r"depends_on names '\*.parquet', but there is no such file"),
        ("3", r'depends_on is 3; give a list of the files that it reads, e.g. depends_on = \["weights.csv"\]'),
        ("[3]", r"depends_on is \[3\]; give a list"),
        ('[""]', r"depends_on is \[''\]; give a list"),
    ],
)
def test_files_that_are_not_there_are_refused(value: str, says: str, read: Read) -> None:
    """A misspelt name would cover nothing."""
    files = {**PROJECT, "model/knn.py": NAMED.replace('["weights.csv"]', value), "model/weights.csv": "1"}
    with pytest.raises(PlanError, match=says):
        read(files)


UNFOLLOWED = {
    "import_module": ("import importlib", "importlib.import_module(self.name).order(train)", "importlib.import_module"),
    "imported": ("from importlib import import_module", "import_module(self.name).order(train)", "import_module"),
    "__import__": ("", "__import__(self.name).order(train)", "__import__"),
    "exec": ("", "exec(self.text)", "exec"),
    "eval": ("", "eval(self.text)", "eval"),
    "globals": ("", "globals()[self.name](train)", "globals"),
    "library": ("import ctypes", 'ctypes.CDLL("./fast.so").order(train)', "ctypes.CDLL"),
}


@pytest.mark.parametrize(("statement", "call", "named"), UNFOLLOWED.values(), ids=UNFOLLOWED.keys())
def test_what_cannot_be_followed_is_said_once(
    statement: str, call: str, named: str, loading: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A warning names the call, its file and line, and the two ways out, each of which silences it."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)  # only the first worker says it
    text = with_import(statement, call)
    files = {**PROJECT, "model/knn.py": text, "model/weights.csv": "1"}
    line = next(number for number, part in enumerate(text.splitlines(), 1) if call in part)
    algorithm = loading(files)
    with pytest.warns(
        UserWarning, match=rf"its key does not cover {named}\(\.\.\.\) in knn.py, line {line}.*"
    ) as caught:
        _ = [code_of(algorithm) for _ in range(2)]
    assert len(caught) == 1
    assert "depends_on = [...]" in str(caught[0].message)
    assert "version = 1" in str(caught[0].message)
    for way_out in ('depends_on = ["weights.csv"]', "version = 1"):
        algorithm = loading({**files, "model/knn.py": text.replace("class Knn:", f"class Knn:\n    {way_out}\n")})
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            code_of(algorithm)


@pytest.mark.parametrize(
    ("statement", "call", "unfollowed"),
    [
        (
            "from importlib import import_module as load",
            "load(self.name).order(train)",
            "importlib.import_module as load",
        ),
        ("import sys", "sys.modules[self.name].order(train)", "sys.modules[...] in knn.py, line 7"),
    ],
)
def test_other_ways_to_a_module_are_said_as_well(statement: str, call: str, unfollowed: str, read: Read) -> None:
    """A loader under another name, and what is loaded already."""
    assert read({**PROJECT, "model/knn.py": with_import(statement, call)}).unfollowed == (unfollowed,)


def test_extensions_of_the_project_cannot_be_followed(read: Read) -> None:
    """A compiled module is named."""
    from importlib.machinery import EXTENSION_SUFFIXES

    fast = f"model/fast{EXTENSION_SUFFIXES[0]}"
    text = WAYS["module in a method"].replace("model.util", "model.fast")
    (unfollowed,) = read({**PROJECT, "model/knn.py": text, fast: "compiled"}).unfollowed
    assert unfollowed == f"{Path(fast).name}, which is no Python source"


def test_a_version_stands_for_everything(read: Read) -> None:
    """A version leaves neither helpers nor files to count, not even whether they are there."""
    text = NAMED.replace("class Knn:", "class Knn:\n    version = 3\n")
    files = {**PROJECT, "model/knn.py": text, "model/util.py": UTIL.replace("-1", "1")}
    assert read(files).code == "version 3"


def test_digests_of_earlier_releases_stay(read: Read) -> None:
    """A class that imports nothing of the project or of a library, and has no docstrings, keeps the digest that it had.

    Of one with docstrings the earlier digest is still known, so that its results are found.
    """
    plain = "import math\n\nBASE = 2\n\n\nclass Knn:\n    def fit(self, train):\n        self.n = math.log(len(train), BASE)\n"
    digest = "source df4996ba27683420415dec519caec64317cf1af8110920140eb55b551b1de74c"
    identity = read({"model/__init__.py": "", "model/knn.py": plain})
    assert (identity.code, identity.before) == (digest, "")
    documented = plain.replace("class Knn:", 'class Knn:\n    """Learns."""\n')
    other = read({"model/__init__.py": "", "model/knn.py": documented})
    assert other.code == digest
    assert other.before == "source bb7e5f5c53443f05a40d31a9a3c9a3b3f7c442247cb17c299bc73a1a86d2028e"


def test_a_docstring_that_is_read_counts(read: Read) -> None:
    """Code that uses its __doc__ computes with it."""
    text = 'class Knn:\n    """20"""\n\n    def fit(self, train):\n        self.k = int(self.__doc__)\n'
    files = {"model/__init__.py": "", "model/knn.py": text}
    assert read({**files, "model/knn.py": text.replace("20", "30")}).code != read(files).code


def test_the_condition_of_a_definition_counts(read: Read) -> None:
    """A constant that a loop fills, and a function that stands below an ``if``, depend on the loop and the condition."""
    text = "FAST = True\nif FAST:\n    def order(x):\n        return x\n" + KNN.replace(
        "from model.util import order", ""
    )
    files = {"model/__init__.py": "", "model/knn.py": text}
    assert read({**files, "model/knn.py": text.replace("True", "False")}).code != read(files).code
    text = "try:\n    import no_such\nexcept ImportError:\n    def order(x):\n        return x\n"
    text += KNN.replace("from model.util import order", "")
    files["model/knn.py"] = text
    assert read({**files, "model/knn.py": text.replace("return x", "return -x")}).code != read(files).code
    text = "order = {}\nfor key in range(3):\n    order[key] = key\n" + KNN.replace("from model.util import order", "")
    files["model/knn.py"] = text
    assert read({**files, "model/knn.py": text.replace("range(3)", "range(4)")}).code != read(files).code


def test_a_file_that_changes_is_read_again(loading: Callable[..., Any]) -> None:
    """What this process remembers of a file is as good as the file's state."""
    algorithm = loading(PROJECT)
    before = identify(algorithm).code
    util = next(folder for folder in sys.path if folder) + "/model/util.py"
    Path(util).write_text(UTIL.replace("-1", "11"), encoding="utf-8")
    changed = identify(algorithm).code
    Path(util).write_text(UTIL, encoding="utf-8")
    assert before == identify(algorithm).code != changed


def test_functions_are_told_apart_in_the_same_way(read: Read) -> None:
    """A function's helpers and the files that it names count, as a class's do."""
    text = (
        "from model.util import order\n\n\ndef keep(frame):\n    return order(frame)\n\n\nkeep.depends_on = ['a.csv']\n"
    )
    files = {**PROJECT, "model/steps.py": text, "model/a.csv": "1"}
    before = read(files, "model.steps", "keep")
    assert read({**files, "model/util.py": UTIL.replace("-1", "1")}, "model.steps", "keep").code != before.code
    assert read({**files, "model/a.csv": "2"}, "model.steps", "keep").code != before.code


STEPS = """
from model.util import weight


def keep(frame):
    return frame[frame["item"] != weight(3)]


def first(hits, relevant):
    return [weight(2)] * len(relevant)


class Score:
    def calculate(self, predictions, test):
        return weight(2)
"""


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("keep", lambda function: Apply(function).identity),
        ("first", lambda function: HitMetric(function).parameters),
        ("Score", lambda metric: CalculatedMetric(metric()).parameters),
    ],
)
def test_steps_and_metrics_have_such_keys(name: str, key: Callable[[Any], Any], loading: Callable[..., Any]) -> None:
    """A helper in another file is part of them; its comments are not."""
    files = {**PROJECT, "model/steps.py": STEPS}
    before = key(loading(files, "model.steps", name))
    assert key(loading({**files, "model/util.py": UTIL.replace("-1", "1")}, "model.steps", name)) != before
    assert key(loading({**files, "model/util.py": f"# more{UTIL}"}, "model.steps", name)) == before
