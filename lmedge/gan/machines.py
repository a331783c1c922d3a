"""A training on the machines of a Ray cluster. One process a node trains with the others, as TF_CONFIG has them do;
when one dies the others are ended, and those that there are then go on from the newest checkpoint.

Ray gives the nodes, all of them or none, and says when one died. Its own trainer for TensorFlow (ray[train]) would
write TF_CONFIG, which is a line; it brings pandas, pyarrow, pydantic and tensorboardX, runs a training in a thread,
which no signal reaches to save it, and counts its deaths without asking whether it came further in between.
"""

import dataclasses
import pickle
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from lmedge import __version__
from lmedge.cluster import NO_WORKER_SECONDS, SAY_SECONDS, TRIES, connected, gone, refuse, seen
from lmedge.cluster_worker import actor
from lmedge.errors import LmedgeError
from lmedge.executor import LOCAL
from lmedge.gan import machine
from lmedge.gan.checkpoint import checkpoints
from lmedge.gan.machine import LOOK_SECONDS, Lost, News
from lmedge.gan.options import PRESETS, TrainGanConfig
from lmedge.interrupt import asking
from lmedge.owner import make_folder
from lmedge.printable import print_text
from lmedge.progress import console
from lmedge.run import Run
from lmedge.url import Url

Result = TypeVar("Result")
GRACE = 5.0  # seconds that the chief has for its word when others have failed: it knows best why, and may be done
END_SECONDS = 3.0  # for all to end their processes; Ctrl-C allows five


def train_on_cluster(config: TrainGanConfig, train: Callable[[TrainGanConfig], Result]) -> Result:
    """What `train(config)` gives on the first of the machines that `config.on` and `config.workers` name.

    Raises what `train` raises there, LmedgeError for a cluster that cannot be reached or that lacks what is needed, and
    after TRIES deaths without a new checkpoint in between.
    """
    ray = connected(config.on)
    if not isinstance(config.run, Url):
        make_folder(config.run.absolute().parent, Path(f"--run {config.run}"))
    task = pickle.dumps((train, dataclasses.replace(config, on=LOCAL, workers=0)))
    deaths = 0
    while True:
        newest = _newest(config)
        try:
            with _nodes(ray, config) as (group, where), _machines(ray, config, group, where) as crew:
                return pickle.loads(crew.train(task))
        except Lost as lost:
            now = _newest(config)
            deaths = deaths + 1 if now == newest else 1
            if deaths == TRIES:
                raise LmedgeError(
                    f"{TRIES} times a machine of the training was lost before another checkpoint was made ({lost}); "
                    "the checkpoints are whole, and the same command goes on."
                ) from None
            begin = f"from {now.name}" if now else "from its beginning"
            console.print(f"train-gan: a machine was lost ({lost}); it goes on {begin}")


def _newest(config: TrainGanConfig) -> Path | None:
    return next(reversed(checkpoints(Run(config.run).checkpoints)), None)


class Room(NamedTuple):
    """How many nodes train, and what each gives of itself: CPU, GPU."""

    nodes: int
    share: dict[str, float]


def room(ray: Any, config: TrainGanConfig) -> Room:
    """What there is for a training now. All devices share the batch, so that a node may be one too many."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    nodes = [node for node in nodes if node.get("GPU")] or nodes
    if not nodes:
        return Room(0, {})
    least = {name: float(int(min(node.get(name, 0) for node in nodes))) for name in ("CPU", "GPU")}
    cards = int(least["GPU"])
    batch = config.batch or PRESETS[config.preset].batch_for(cards)
    most = min(len(nodes), config.workers or len(nodes))
    # Where one alone cannot share its batch, it says so itself.
    sharing = max((n for n in range(1, most + 1) if batch % (n * max(cards, 1)) == 0), default=1)
    return Room(sharing, {name: amount for name, amount in least.items() if amount})


@contextmanager
def _nodes(ray: Any, config: TrainGanConfig) -> Iterator[tuple[Any, Room]]:
    """A placement group on as many nodes as there is `room` for, once they are free. Raises LmedgeError when none are
    for long."""
    since, said = time.monotonic(), False
    group, asked = None, Room(0, {})
    try:
        while group is None or not group.wait(LOOK_SECONDS):
            if (now := room(ray, config)) != asked:
                _leave(ray, group)
                asked = now
                group = (
                    ray.util.placement_group([now.share] * now.nodes, strategy="STRICT_SPREAD") if now.nodes else None
                )
            elif group is None:
                time.sleep(LOOK_SECONDS)
            waited = time.monotonic() - since
            if waited > NO_WORKER_SECONDS:
                raise LmedgeError("no nodes of the cluster were free for 10 minutes; the same command goes on when "
                                  "they are.")  # fmt: skip
            if waited > SAY_SECONDS and not said:
                free = " and ".join(f"{amount:g} {name}" for name, amount in asked.share.items())
                what = f"{asked.nodes} of them with {free} free" if asked.nodes else "there is none"
                console.print(f"waiting for nodes of the cluster: {what}")
                said = True
        yield group, asked
    finally:
        _leave(ray, group)


def _leave(ray: Any, group: Any) -> None:
    if group is not None and ray.is_initialized():
        ray.util.remove_placement_group(group)


@contextmanager
def _machines(ray: Any, config: TrainGanConfig, group: Any, where: Room) -> Iterator["_Machines"]:
    """An actor on each of the nodes, all of them ready."""
    crew = _Machines(ray, config.run)
    try:
        crew.hire(group, where, sorted(seen(config)))
        yield crew
    finally:
        crew.end()


class _Machines:
    """The actors of one sitting, the chief's first."""

    def __init__(self, ray: Any, run: Path):
        self._ray, self._run = ray, run
        self._actors: list[Any] = []
        self._stopping = False  # Ctrl-C

    def hire(self, group: Any, where: Room, paths: list[str]) -> None:
        """Raises LmedgeError for a node that lacks something, Lost for one that dies."""
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        alive = self._alive()
        need = {"num_cpus": where.share["CPU"], "num_gpus": where.share.get("GPU", 0)}
        kind = self._ray.remote(max_restarts=0, **need)(actor())
        for place in range(where.nodes):
            strategy = PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=place)
            self._actors.append(kind.options(scheduling_strategy=strategy).remote())
        given = pickle.dumps(((machine.arrive, ()), machine.do))
        here = str(Path.cwd())
        waited = [each.ready.remote(__version__, here, paths, given) for each in self._actors]
        while self._ray.wait(waited, num_returns=len(waited), timeout=LOOK_SECONDS)[1]:
            if not alive <= self._alive():
                raise Lost("its node went before it began")
        for reference in waited:
            obstacle = self._get(reference)
            if isinstance(obstacle, Lost):
                raise obstacle
            refuse(obstacle)

    def _alive(self) -> set[str]:
        return {node["NodeID"] for node in self._ray.nodes() if node["Alive"]}

    def train(self, task: bytes) -> bytes:
        """What the chief gives, pickled. Its lines are shown here. Raises Lost, or its error; KeyboardInterrupt where
        Ctrl-C came before there was anything to save."""
        count = len(self._actors)
        with asking(self._stop, f"saving {self._run}; once more ends without that."):
            try:
                console.print(f"train-gan: on {count} node{'s' * (count > 1)} of the cluster")
                addresses = [self._answer(each) for each in [self._ask(one, machine.address) for one in self._actors]]
                for number, one in enumerate(self._actors):
                    self._ask(one, partial(machine.begin, task, addresses, number))
                return self._end_of_training()
            except Lost:
                if self._stopping:
                    raise KeyboardInterrupt from None
                raise

    def _stop(self) -> None:
        self._stopping = True

    def _end_of_training(self) -> bytes:
        answers: dict[int, bytes | Exception] = {}
        waited = {self._ask(one, machine.news): number for number, one in enumerate(self._actors)}
        told, failed = False, 0.0
        while waited and (not failed or time.monotonic() - failed < GRACE):
            if self._stopping and not told:
                told = True
                self._ask(self._actors[0], machine.stop)  # what others do after the chief's last step is not wanted
            self._hear(waited, answers)
            chief = answers.get(0)
            if isinstance(chief, bytes):
                return chief
            if isinstance(chief, Exception) and not isinstance(chief, Lost):
                raise chief
            if not failed and any(isinstance(answer, Exception) for answer in answers.values()):
                failed = time.monotonic()
        errors = [answer for answer in answers.values() if isinstance(answer, Exception)]
        raise next((error for error in errors if not isinstance(error, Lost)), errors[0])

    def _hear(self, waited: dict[Any, int], answers: dict[int, bytes | Exception]) -> None:
        """News of the machines that are `waited` for; those that are at their end go over to `answers`."""
        for reference in self._ray.wait([*waited], num_returns=len(waited), timeout=LOOK_SECONDS)[0]:
            number = waited.pop(reference)
            try:
                news = self._answer(reference)
            except Lost as lost:
                news = News([], lost)
            for line in news.lines if number == 0 else ():
                print_text(line, file=sys.stderr, flush=True)
            if news.answer is None:
                waited[self._ask(self._actors[number], machine.news)] = number
            else:
                answers[number] = news.answer

    def _ask(self, one: Any, job: Callable[[], Any]) -> Any:
        """A reference to the answer."""
        return one.answers.remote(pickle.dumps([job]))

    def _answer(self, reference: Any) -> Any:
        """Raises Lost for a machine that is gone, and what its job raised."""
        found = self._get(reference)
        answer = found if isinstance(found, Exception) else pickle.loads(found)
        if isinstance(answer, Exception):
            raise answer
        return answer[0]

    def _get(self, reference: Any) -> Any:
        try:
            return self._ray.get(reference)
        except gone(self._ray):
            return Lost("its node or its process died")

    def end(self) -> None:
        """Ends all, whatever they are at."""
        if not self._ray.is_initialized():
            return
        with suppress(Exception):  # of those that are gone
            ended = [self._ask(one, machine.end) for one in self._actors]
            self._ray.wait(ended, num_returns=len(ended), timeout=END_SECONDS)
        for one in self._actors:
            with suppress(Exception):
                self._ray.kill(one)
