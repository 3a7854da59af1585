"""A private CA, and the key that scheduler, workers and client share: whoever has its files is a member, and nobody else.

``python -m omnibench.cluster.credentials DIR`` writes them, and prints the variables that make every process of Dask use them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

_ROLES = ("scheduler", "worker", "client")

_VARIABLES = {
    "ca.pem": ("DASK_DISTRIBUTED__COMM__TLS__CA_FILE",),
    "cert.pem": tuple(f"DASK_DISTRIBUTED__COMM__TLS__{role.upper()}__CERT" for role in _ROLES),
    "key.pem": tuple(f"DASK_DISTRIBUTED__COMM__TLS__{role.upper()}__KEY" for role in _ROLES),
}
"""The variables that name each file."""


def temporary_security() -> Any:
    """Return the credentials of a run, which are kept in memory alone."""
    from distributed import security

    make: Any = security.Security.temporary
    return make()


def write_credentials(directory: Path, security: Any = None) -> dict[str, str]:
    """Write credentials that nobody else can read into a directory.

    Args:
        directory: The directory, which is made if it is not there.
        security: Those that are written; new ones by default.

    Returns:
        The environment variables by which Dask finds them.
    """
    security = security or temporary_security()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    contents = {
        "ca.pem": security.tls_ca_file,
        "cert.pem": security.tls_client_cert,
        "key.pem": security.tls_client_key,
    }
    for name, content in contents.items():
        path = directory / name
        path.touch(mode=0o600)
        path.chmod(0o600)
        path.write_text(content, encoding="ascii")
    variables = {variable: str(directory / name) for name, names in _VARIABLES.items() for variable in names}
    return {**variables, "DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "True"}


def security_in(directory: Path) -> Any:
    """Return the credentials that ``write_credentials`` has written into a directory, by their paths.

    Args:
        directory: The directory, which all members see.
    """
    from distributed import security

    make: Any = security.Security
    pairs = {f"tls_{role}_cert": str(directory / "cert.pem") for role in _ROLES}
    pairs |= {f"tls_{role}_key": str(directory / "key.pem") for role in _ROLES}
    return make(tls_ca_file=str(directory / "ca.pem"), require_encryption=True, **pairs)


if __name__ == "__main__":
    for variable, value in write_credentials(Path(sys.argv[1]).absolute()).items():
        print(f"export {variable}={value}")  # noqa: T201 - what the command is for
