"""CHKPT: a file in the working directory asks for a snapshot, and is removed when all who found it have answered."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext
from pathlib import Path

import pytest
from support.asked_workers import fitting

from omnibench.engine import asking, chkpt
from omnibench.engine.asking import Requests
from omnibench.engine.chkpt import ChkptFile
from omnibench.errors import PrunedError

Workers = Callable[[], ChkptFile]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file need not stay for others to find it, and is looked for at each call."""
    monkeypatch.setattr(chkpt, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(asking, "_LOOK_SECONDS", 0.0)


@pytest.fixture
def sentences() -> list[str]:
    """What workers have said."""
    return []


@pytest.fixture
def new_worker(tmp_path: Path, sentences: list[str]) -> Iterator[Workers]:
    """Return another worker whose working directory is that of the test."""
    with ExitStack() as stack:

        def new() -> ChkptFile:
            worker = ChkptFile(tmp_path, sentences.append)
            stack.callback(worker.close)
            return worker

        yield new


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the file is."""
    return tmp_path / "CHKPT"


def test_the_file_goes_when_it_is_answered_and_not_before(
    new_worker: Workers, file: Path, sentences: list[str]
) -> None:
    """However long that takes; GloMPO removes it before it has begun."""
    worker = new_worker()
    assert not worker.look()
    file.touch()
    assert worker.look()
    assert worker.look()
    assert file.exists()
    worker.answer()
    assert not worker.look()
    assert not file.exists()
    assert not worker.look()
    assert sentences == []


def test_each_file_asks_once(new_worker: Workers, file: Path) -> None:
    """One that is made again asks again."""
    worker = new_worker()
    for _ in range(3):
        file.touch()
        assert worker.look()
        worker.answer()
        worker.settle()
        assert not file.exists()


def test_the_last_who_answers_removes_it(new_worker: Workers, file: Path) -> None:
    """Who has answered before takes no second snapshot while others are not ready."""
    first, second, third = new_worker(), new_worker(), new_worker()
    file.touch()
    assert [worker.look() for worker in (first, second, third)] == [True] * 3
    for worker in (second, first):
        worker.answer()
        worker.settle()
        assert file.exists()
        assert not worker.look()
    assert third.look()
    third.answer()
    assert not third.look()
    assert not file.exists()


def test_when_two_answer_at_once_one_of_them_removes_it(new_worker: Workers, file: Path) -> None:
    """Neither leaves it to the other."""
    first, second = new_worker(), new_worker()
    file.touch()
    assert first.look()
    assert second.look()
    first.answer()
    second.answer()
    first.look()
    second.look()
    assert not file.exists()


def test_the_file_stays_until_others_can_have_found_it(
    new_worker: Workers, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A snapshot may take less time than passes between two looks of another worker."""
    monkeypatch.setattr(chkpt, "SETTLE_SECONDS", 0.3)
    first, second = new_worker(), new_worker()
    file.touch()
    assert first.look()
    first.answer()
    assert not first.look()
    assert second.look()
    second.answer()
    began = time.monotonic()
    first.settle()
    second.settle()
    assert time.monotonic() < began + 60
    assert not file.exists()


def test_a_file_of_a_worker_that_has_died_does_not_stay(new_worker: Workers, file: Path) -> None:
    """Another that has answered removes it as soon as the dead one's lock is free."""
    first, second = new_worker(), new_worker()
    file.touch()
    assert first.look()
    assert second.look()
    first.answer()
    first.settle()
    assert file.exists()
    second.close()
    assert file.exists()
    assert not first.look()
    assert not file.exists()


def test_who_removes_the_file_takes_the_request_back(new_worker: Workers, file: Path) -> None:
    """Also where another one is in its place, which asks anew."""
    worker = new_worker()
    file.touch()
    assert worker.look()
    file.unlink()
    assert not worker.look()
    file.touch()
    assert worker.look()
    file.rename(file.with_name("old"))
    file.touch()
    assert not worker.look()
    assert worker.look()


def test_whoever_touches_it_again_while_nobody_has_answered_asks_for_the_same(new_worker: Workers, file: Path) -> None:
    """After the answer, it asks for another snapshot, and stays for that."""
    worker = new_worker()
    file.touch()
    assert worker.look()
    time.sleep(0.01)
    file.touch()
    assert worker.look()
    worker.answer()
    time.sleep(0.01)
    file.touch()
    assert not worker.look()
    assert file.exists()
    assert worker.look()
    worker.answer()
    assert not worker.look()
    assert not file.exists()


def test_data_that_has_the_name_is_left_alone(new_worker: Workers, file: Path, sentences: list[str]) -> None:
    """A large file, a directory or a link is said once, and neither read nor removed; a short text is a request."""
    worker = new_worker()
    file.write_bytes(b"x" * 5000)
    assert not worker.look()
    assert not worker.look()
    assert sentences == [
        f"{file} asks for no snapshot: with 5,000 bytes it looks like data; `touch CHKPT` makes a file that does."
    ]
    file.unlink()
    file.mkdir()
    assert not worker.look()
    file.rmdir()
    file.symlink_to(file.with_name("target"))
    file.with_name("target").touch()
    assert not worker.look()
    assert [sentence.partition(": ")[2] for sentence in sentences[1:]] == [
        "it is no regular file; `touch CHKPT` makes a file that does."
    ] * 2
    assert file.with_name("target").exists()
    file.unlink()
    os.mkfifo(file)
    assert not worker.look()
    file.unlink()
    file.write_text("please\n")
    assert worker.look()


def test_a_file_that_cannot_be_removed_is_said_once(
    new_worker: Workers, file: Path, sentences: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And asks for no snapshot after the other."""

    def refuse(path: Path, **_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    worker = new_worker()
    file.touch()
    assert worker.look()
    worker.answer()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        for _ in range(3):
            assert not worker.look()
    assert sentences == [f"{file} was answered and cannot be removed (Permission denied); remove it."]


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (None, "its Fit has ended before a snapshot could be taken"),
        (PrunedError(3, 0.1, []), "its Fit has ended before a snapshot could be taken"),
        (ValueError("broken\nfurther"), "its Fit has ended without a snapshot (broken)"),
        (KeyboardInterrupt(), "its Fit has ended without a snapshot (KeyboardInterrupt)"),
    ],
)
def test_a_fit_that_ends_says_so_and_removes_the_file(
    tmp_path: Path, file: Path, sentences: list[str], error: BaseException | None, sentence: str
) -> None:
    """Whether it ends well, is pruned, fails or is interrupted."""

    def fit() -> None:
        with requests.during_fit("item", "Popular on tiny"):
            assert requests.pending()
            if error is not None:
                raise error

    requests = Requests(tmp_path, "worker", sentences.append, tmp_path)
    file.touch()
    assert not requests.pending()
    with nullcontext() if error is None else pytest.raises(type(error)):
        fit()
    assert not file.exists()
    assert not requests.pending()
    assert sentences == [f"CHKPT: Popular on tiny: {sentence}"]


def test_where_there_is_nothing_to_snapshot_all_who_ask_hear_that(
    tmp_path: Path, file: Path, sentences: list[str]
) -> None:
    """Also who asks later, for as long as that Fit lasts; the next Fit is asked anew."""
    requests = Requests(tmp_path, "worker", sentences.append, tmp_path)
    with requests.during_fit("item", "Popular on tiny"):
        requests.nothing("it has no iterations")
        for _ in range(2):
            file.touch()
            assert not requests.pending()
            assert not requests.pending()
            assert not file.exists()
    assert sentences == ["CHKPT: Popular on tiny: nothing to snapshot: it has no iterations"] * 2
    file.touch()
    with requests.during_fit("item", "Popular on tiny"):
        assert requests.pending()
        requests.failed("no room is left")
        assert not requests.pending()
    assert sentences[2:] == ["CHKPT: Popular on tiny: the snapshot has failed: no room is left"]
    assert not file.exists()


@pytest.mark.slow
def test_all_workers_of_a_directory_are_asked_whatever_their_store(tmp_path: Path) -> None:
    """Of two stores; who works in another directory is not. Each says what it has made, and the last removes the file."""
    (tmp_path / "elsewhere").mkdir()
    with ExitStack() as stack:
        workers = [
            stack.enter_context(fitting(tmp_path / store, reaction, name=name, directory=tmp_path, settle=2.5))
            for store, name, reaction in (("one", "gw0", "take"), ("one", "gw1", "nothing"), ("two", "main", "end"))
        ]
        stranger = stack.enter_context(
            fitting(tmp_path / "one", "take", name="gw2", directory=tmp_path / "elsewhere", settle=2.5)
        )
        (tmp_path / "CHKPT").touch()
        lines = []
        for worker in workers:
            assert worker.stdout is not None
            lines.append(worker.stdout.readline())
        assert lines == [
            "CHKPT: gw0: snapshot snapshot_20261126_155402 after epoch 37 of 50 (12.3 MB in 0.4 s)\n",
            "CHKPT: gw1: nothing to snapshot: its Fit has no iterations\n",
            "CHKPT: main: its Fit has ended before a snapshot could be taken\n",
        ]
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.close()
            worker.wait()
        assert not (tmp_path / "CHKPT").exists()
        assert stranger.poll() is None
        (tmp_path / "elsewhere" / "CHKPT").touch()
        assert stranger.stdout is not None
        assert stranger.stdout.readline().startswith("CHKPT: gw2: snapshot ")
