"""Errors of a GPU say how much memory there was, and what to change; the texts are those of PyTorch and TensorFlow."""

from __future__ import annotations

import pytest
from support.projects import Project

from omnibench.runners.gpu_errors import gpu_error

SINCE_2_1 = (
    "OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 79.11 GiB of which 12.31 "
    "GiB is free. Process 4711 has 66.79 GiB memory in use. Of the allocated memory 66.10 GiB is allocated by PyTorch, and "
    "1.02 MiB is reserved by PyTorch but unallocated. If reserved but unallocated memory is large try setting "
    "PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True to avoid fragmentation."
)
BEFORE = (
    "RuntimeError: CUDA out of memory. Tried to allocate 2.00 GiB (GPU 0; 10.76 GiB total capacity; 8.54 GiB already allocated; "
    "1.01 GiB free; 8.60 GiB reserved in total by PyTorch)"
)
HELP = "smaller batches or fewer factors need less, "


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            SINCE_2_1,
            (
                "OutOfMemoryError: CUDA out of memory (20.00 GiB were wanted, 12.31 GiB were free, the GPU has 79.11 GiB, "
                f"PyTorch had 66.10 GiB; {HELP}"
            ),
        ),
        (
            BEFORE,
            (
                "RuntimeError: CUDA out of memory (2.00 GiB were wanted, 1.01 GiB were free, the GPU has 10.76 GiB, "
                f"PyTorch had 8.54 GiB; {HELP}"
            ),
        ),
        (
            "RuntimeError: CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported",
            f"RuntimeError: CUDA error: out of memory ({HELP}",
        ),
        (
            "RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
            f"RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)` ({HELP}",
        ),
        (
            (
                "RuntimeError: index_add_cuda_ does not have a deterministic implementation, but you set "
                "'torch.use_deterministic_algorithms(True)'. You can turn off determinism just for this operation."
            ),
            "RuntimeError: index_add_cuda_ does not have a deterministic implementation (--omnirec-device=cuda-deterministic ",
        ),
    ],
)
def test_what_it_means_and_what_helps(error: str, sentence: str) -> None:
    """The first sentence stays, with the amounts that stand in the error."""
    assert gpu_error(error).startswith(sentence)


@pytest.mark.parametrize("error", ["MemoryError", "ValueError: no such memory", "OSError: out of memory"])
def test_other_errors_stay_as_they_are(error: str) -> None:
    """Memory of the machine is another matter."""
    assert gpu_error(error) == ""


@pytest.mark.guests
def test_the_failure_of_an_item_says_it(project: Project) -> None:
    """Where a class raises what PyTorch does, the table of failures names the amounts, and no limit of the machine."""
    project.bench(f"plan.add_algorithm(Raising, {{'message': {SINCE_2_1!r}}})")
    with project.pytester.path.joinpath("own_algorithms.py").open("a") as file:
        file.write(RAISING)
    result = project.run("-k", "fold_0")
    result.assert_outcomes(failed=1)
    text = " ".join(result.stdout.str().split())
    assert "20.00 GiB were wanted, 12.31 GiB were free, the GPU has 79.11 GiB" in text
    assert "--omnirec-device=cpu" in text
    assert "ulimit" not in text


RAISING = """

class Raising:
    def __init__(self, message):
        self.message = message

    def fit(self, train):
        raise RuntimeError(self.message)

    def recommend(self, users, k):
        return {}
"""
