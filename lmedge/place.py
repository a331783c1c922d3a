"""`--on`: where the jobs of a verb run."""

from typing import Annotated
from urllib.parse import urlsplit

from tyro.conf import arg

from lmedge.bounds import Check
from lmedge.errors import UsageError
from lmedge.executor import ENVIRONMENT, LOCAL, Executor

SCHEME = "ray://"


def require_place(option: str, value: str) -> str:
    """Refuses what is no place for jobs; returns it. Raises UsageError."""
    try:
        parts = urlsplit(value)
        fits = value in (LOCAL, ENVIRONMENT) or (value.startswith(SCHEME) and parts.hostname and parts.port)
    except ValueError:  # a port that is none
        fits = False
    if not fits:
        raise UsageError(f"{option} {value}: take local, ray or ray://HOST:PORT.")
    return value


Place = Annotated[str, arg(metavar="{local,ray,ray://HOST:PORT}"), Check(require_place)]


def elsewhere(place: Place, workers: int = 0) -> Executor | None:
    """What runs jobs there, or None for this machine."""
    return None if place == LOCAL else executor_on(place, workers)


def executor_on(place: Place, workers: int) -> Executor:
    """What runs jobs there: `workers` processes, or actors of a cluster; 0 for one a core."""
    if place == LOCAL:
        from lmedge.processes import Processes  # here, as options are read without them

        return Processes(workers)
    from lmedge.cluster import Ray

    return Ray(place, workers)
