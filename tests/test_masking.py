"""Secrets in texts: what is masked, what is not, and what is cut."""

from __future__ import annotations

import pytest

from omnibench.errors import GuestError, PhaseError, PlanError
from omnibench.experiment.algorithms import LensKit, RecBole
from omnibench.experiment.plan import ExperimentPlan
from omnibench.masking import MASK, UNMASKED, masked, masked_arguments, masked_bytes, masked_data, safe_cut

SECRET = "hunter2-hunter2"

NAMED = [
    "--token={}",
    "--token {}",
    "--db-password '{}'",
    "['--api-key', '{}']",
    "password: {}",
    "HF_TOKEN={} python train.py",
    "{{'secret': '{}', 'k': 20}}",
    '{{"access_key": "{}"}}',
    r'"{{\"token\": \"{}\"}}"',
    r"two lines\npassword={}\nand more",
    "https://{}:x-oauth-basic@example.org/simple",
    "https://{}@example.org",
    "https://example.org/a?page=2&token={}&x=1",
    "https://example.org/a?X-Amz-Signature={}",
    "Authorization: Bearer {}",
    "{{'Authorization': 'Basic {}'}}",
    "Proxy-Authorization: {}",
    "Cookie: session={}",
]
SHAPES = [
    "ghp_" + "a1" * 18,
    "github_pat_" + "a1" * 20,
    "glpat-" + "a1" * 10,
    "hf_" + "a1" * 17,
    "AKIA" + "A1" * 8,
    "sk-proj-" + "a1" * 20,
    "xoxb-" + "1" * 12,
    "AIza" + "a1" * 18,
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjMifQ.abcdef",
    "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----",
]
HARMLESS = [
    "Fit took 1.234 s, NDCG@10 0.4012",
    "max_tokens=512 n_token=5 use_token=True pad_token_id=0 keys=3 sort_key=user",
    "KeyError: 'token'",
    "the password has to be given; see https://example.org/docs?page=2#token",
    "epoch 3 of 20, loss 0.41, key: 7",
    "risk-averse-and-task-oriented-recommendation asks sk-learn",
]


@pytest.mark.parametrize("text", NAMED)
def test_named_secrets_are_masked(text: str) -> None:
    """What stands behind the name of a secret is masked, and nothing around it."""
    assert masked(text.format(SECRET)) == text.format("***").replace("session=***", "***").replace(
        "***:x-oauth-basic", "***"
    )


@pytest.mark.parametrize("token", SHAPES)
def test_shapes_of_tokens_are_masked(token: str) -> None:
    """What says itself that it is a token is masked wherever it stands, also within escaped lines."""
    assert masked(f"got {token}!") == "got ***!"
    assert masked(f"got\\n{token}") == "got\\n***"


@pytest.mark.parametrize("text", HARMLESS)
def test_harmless_texts_stay(text: str) -> None:
    """Words such as token and key are no secrets."""
    assert masked(text) == text


@pytest.mark.parametrize(
    "name", ["SHOP_TOKEN", "shop_key", "SECRET", "X_PASSWORD", "SSH_PASSPHRASE", "AWS_CREDENTIALS"]
)
def test_values_of_the_environment_are_masked(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The value of a variable that is called like a secret is masked wherever it stands, however it is written."""
    monkeypatch.setenv(name, 'a "b" c/d')
    for text in ('a "b" c/d', r"a \"b\" c/d", "a%20%22b%22%20c/d", "a%20%22b%22%20c%2Fd"):
        assert masked(f"x{text}y") == "x***y"
    monkeypatch.setenv(UNMASKED, f"other,{name.swapcase()}")
    monkeypatch.setenv(name, "another value")
    assert masked("another value") == "another value"


def test_values_of_the_environment_that_are_no_secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    """Short values, paths that exist and variables of other names are not masked everywhere."""
    monkeypatch.setenv("USE_TOKEN", "true")
    monkeypatch.setenv("SSH_KEY", str(tmp_path))
    monkeypatch.setenv("KEYBOARD", "some long value")
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "another long value")
    text = f"true {tmp_path} some long value another long value"
    assert masked(text) == text


def test_secrets_that_come_with_the_next_item_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    """What pytest notes in the environment for each item hides no secret that was set, or noted, beside it."""
    monkeypatch.setenv("PYTEST_CURRENT_TEST", "bench.py::first (call)")
    assert masked("correct-horse second-horse") == "correct-horse second-horse"
    monkeypatch.setenv("PYTEST_CURRENT_TEST", "bench.py::second (call)")
    monkeypatch.setenv("DEPLOY_KEY", "correct-horse")
    assert masked("correct-horse second-horse") == f"{MASK} second-horse"
    monkeypatch.setenv("PYTEST_CURRENT_TEST", "https://me:second-horse@host")
    assert masked("correct-horse second-horse") == f"{MASK} {MASK}"


def test_each_line_of_a_long_secret_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is printed line by line is masked line by line, and the password of an address also without it."""
    monkeypatch.setenv("DEPLOY_KEY", "-----BEGIN-----\nabcdefgh\nijklmnop\n")
    monkeypatch.setenv("DATABASE_URL", "postgres://me:correct-horse@db/x")
    assert masked("abcdefgh\nijklmnop") == "***\n***"
    assert masked("it is correct-horse") == "it is ***"


def test_command_lines_are_masked_word_by_word() -> None:
    """A secret may be a word of its own behind its option."""
    words = ["pytest", "--token", "abc", "--password=1", "-o", "hf_token=abcd", "--index", "https://u:p@h/s", "-k", "x"]
    expected = [
        "pytest",
        "--token",
        "***",
        "--password=***",
        "-o",
        "hf_token=***",
        "--index",
        "https://***@h/s",
        "-k",
        "x",
    ]
    assert masked_arguments(words) == expected


def test_bytes_need_not_be_texts() -> None:
    """What was printed is masked whatever its encoding is, and the rest of it stays as it is."""
    assert masked_bytes(b"\xff\xfe password=abcdefgh \xe9\x00") == b"\xff\xfe password=*** \xe9\x00"


def test_plain_data_is_masked() -> None:
    """What a guest reports of itself may have secrets in texts, or under their names."""
    data = {"epoch": 3, "note": "--token=abcd", "token": "abcd", "deep": [("password=abcd",)]}
    assert masked_data(data) == {"epoch": 3, "note": "--token=***", "token": "***", "deep": [["password=***"]]}


@pytest.mark.parametrize("before", range(0, 5000, 97))
def test_a_long_line_is_cut_beside_secrets(before: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever a line without an end is cut, no secret is: the two parts that are masked alone show nothing of it."""
    monkeypatch.setenv("SHOP_TOKEN", SECRET)
    for secret in (SECRET, SHAPES[0], "--password hunter2"):
        line = ("." * (70_000 - before) + secret + " " + "." * before).encode()
        cut = safe_cut(line)
        assert 0 < cut <= len(line)
        parts = masked_bytes(line[:cut]) + masked_bytes(line[cut:])
        assert masked_bytes(line) == parts
        assert b"hunter2" not in parts


def test_long_lines_take_no_squares_of_time() -> None:
    """What a pattern could begin with, repeated a hundred thousand times, is looked through and not looked through again."""
    for unit in (".", "-", "_", "--a_", "?", "&a", "://", "sk-", "-eyJ-", "token", "token ", "cookie:", "key=", '"'):
        text = unit * (100_000 // len(unit))
        assert len(masked(f"{text} token")) <= len(text) + len(" token")


def test_errors_of_guests_and_phases_are_masked() -> None:
    """What failed is masked when the error is made: before records, logs, reports and terminals get to see it."""
    guest = GuestError("no login with --token=abcd", "Traceback: password=abcd")
    assert (str(guest), guest.details) == ("no login with --token=***", "Traceback: password=***")
    phase = PhaseError("Fit", "no login with --token=abcd", "Traceback: password=abcd")
    assert (str(phase), phase.details) == ("Fit failed: no login with --token=***", "Traceback: password=***")


def test_secrets_are_no_hyperparameters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hyperparameters stand in keys and tables and cannot be masked: a secret among them is refused, and not repeated."""
    plan = ExperimentPlan("tests")
    monkeypatch.setenv("SHOP_TOKEN", SECRET)
    for value, source in ((SECRET, r"\$SHOP_TOKEN"), (SHAPES[0], "access token")):
        with pytest.raises(PlanError, match=source) as refused:
            plan.add_algorithm(LensKit.ItemKNNScorer, {"feedback": value})
        assert value not in str(refused.value)
    monkeypatch.setenv(UNMASKED, "SHOP_TOKEN")
    plan.add_algorithm(RecBole.BPR, {"learner": SECRET})
