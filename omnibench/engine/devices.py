"""The device classes that the items of a run compute on, which their keys name: by what is here, or asked of a cluster."""

from __future__ import annotations

from pathlib import Path

from omnibench.experiment.configuration import Configuration
from omnibench.experiment.resources import Resources
from omnibench.runners.machine import CPU, CUDA

_AUTO = "auto"


class Devices:
    """Chooses device classes before anything is connected: a run of which all is done asks no cluster.

    Args:
        choice: ``auto``, or a device class.
        cluster: Where guests run, as ``Coordinator`` takes it; on this machine by default.
    """

    def __init__(self, choice: str, cluster: str | None = None) -> None:
        self._choice = choice
        self._is_elsewhere = self._jobs_have_gpus = False
        if cluster is not None:
            from omnibench.cluster.choice import SLURM, ClusterChoice  # which other runs do not need
            from omnibench.cluster.settings import slurm_settings
            from omnibench.cluster.shapes import asks_for_gpus

            where = ClusterChoice.parse(cluster)
            self._is_elsewhere = not where.is_this_machine
            self._jobs_have_gpus = where.scheduler == SLURM and asks_for_gpus(slurm_settings(Path.cwd()).directives)

    def of(self, configuration: Configuration, resources: Resources, choice: str | None = None) -> str:
        """Return the device class of a configuration: the CPU unless it can use a GPU.

        On a cluster ``auto`` is a GPU for what asks for one (``resources=``), and where jobs of SLURM have some by their
        directives. What this machine has tells nothing of the others.

        Args:
            configuration: The configuration.
            resources: What its Fits ask for.
            choice: A device class where somebody has chosen for it alone.

        Returns:
            ``cpu``, ``cuda`` or ``cuda-deterministic``.

        Raises:
            OmnibenchError: A GPU of this machine is wanted, and there is none.
        """
        wanted = choice or self._choice
        if not self._is_elsewhere:
            return configuration.device(wanted)
        if not configuration.uses_gpu:
            return CPU
        if wanted == _AUTO:
            return CUDA if resources.gpu_amount or self._jobs_have_gpus else CPU
        return wanted
