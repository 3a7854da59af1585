"""The process-wide settings of moved scripts."""

from omnibench.compat.omnirec.settings import (
    get_data_dir,
    get_random_state,
    set_data_dir,
    set_log_level,
    set_random_state,
)

__all__ = ["get_data_dir", "get_random_state", "set_data_dir", "set_log_level", "set_random_state"]
