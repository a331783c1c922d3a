"""A person at work on labels: which faces come next, what the fit so far proposes, and every point that is placed."""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.coco import NOT_PLACED, VISIBLE
from lmedge.errors import UsageError
from lmedge.labels.choosing import Pool, other_than, pool_of, varied
from lmedge.labels.fit import Examples, Fit, mean_known
from lmedge.labels.folder import LabelFolder, Placed, refuse_outside
from lmedge.labels.frame import Frame
from lmedge.latent import Latents
from lmedge.pictures import enlarged
from lmedge.runtime.face_model import FaceModel
from lmedge.scheme import Scheme

AT_ONCE = 5  # faces that are chosen together; then what was learnt from them says which come next
SHOWN = 512  # pixels at least that a picture is enlarged to, smoothly: browsers do it in steps


class Session:
    """What the page asks for. Several windows may ask at once. `create` makes the labels of a scheme, where there are
    none yet.

    Coordinates of the page are pixels of the face, as in files; known landmarks and proposals too.
    """

    def __init__(self, model: FaceModel, labels: LabelFolder | None, create: Callable[[Scheme], LabelFolder]):
        self.model, self.labels, self.create = model, labels, create
        self.frame = Frame.of(model)
        self._model_lock = threading.RLock()  # an interpreter answers one at a time
        self._choosing = threading.Lock()
        self._learning = threading.Condition()
        self._wanted = self._busy = self._closed = False
        self._learnt: tuple[Fit, Examples] | None = None
        self._landmarks = np.zeros((0, model.scheme.count, 2), np.float32)  # of the faces of the labels
        self.start: Pool | None = None  # the face on which a new scheme is made
        if labels is None:
            pool = pool_of(model, self.frame, 0)
            self.start = pool[varied(pool, 1, pool.shapes[:0])]
        elif not len(labels):
            self.more()
        self._learner = threading.Thread(target=self._learn_on, daemon=True)
        self._learner.start()
        self.learn()

    # What windows ask for

    def state(self) -> dict[str, Any]:
        """Which faces there are, how far each is, and how good the fit is."""
        about = {"width": self.model.width, "height": self.model.height, "scheme": None, "labels": "", "faces": [],
                 "fit": None, "known": list(self.model.scheme.names)}  # fmt: skip
        if (labels := self.labels) is None:
            return about
        placed = labels.placed
        return about | {"scheme": labels.scheme.to_json(), "labels": labels.name, "fit": self._told(),
                        "faces": placed.sum(axis=1).tolist()}  # fmt: skip

    def face(self, face: int) -> dict[str, Any]:
        """Points of a face `[[x, y, visibility], ...]`, its known landmarks, and places that are proposed for points
        that are not placed: `[x, y, expected error]` or None."""
        if self.labels is None:
            assert self.start is not None
            return {"points": [], "known": _listed(self.start.landmarks[0]), "proposals": []}
        labels = self._check(face)
        known = self._known()[face : face + 1]
        points = [[*point, int(seen)] for point, seen in
                  zip(labels.points[face].tolist(), labels.visibility[face], strict=True)]  # fmt: skip
        return {"points": points, "known": _listed(known[0]), "proposals": self._proposals(known)}

    def picture(self, face: int) -> NDArray[np.uint8]:
        """A face `[H, W, 3]`, smoothly enlarged."""
        if self.labels is None:
            assert self.start is not None
            z = self.start.z
        else:
            z = self._check(face).z[face : face + 1]
        with self._model_lock:
            image = self.model.render(z).images[0]
        return enlarged(image, -(-SHOWN // self.model.width))

    def place(self, face: int, point: int, now: Placed, was: Placed) -> Placed:
        """Keeps a point; as `LabelFolder.place`. Raises UsageError for a face or a point that there is not."""
        labels = self._check(face)
        if not 0 <= point < labels.scheme.count:
            raise UsageError(f"there is no point {point} in {labels.scheme}.")
        before = labels.complete[face]
        kept = labels.place(face, point, now, was)
        if before or labels.complete[face]:
            self.learn()
        return kept

    def more(self) -> int:
        """Chooses the next faces, unless there are some on which nothing is placed; returns how many there are then."""
        with self._choosing:
            labels = self._labels()
            if len(labels) and not labels.placed[-1].any():
                return len(labels)
            shapes = self.frame.coordinates(self._known())
            with self._model_lock:
                pool = pool_of(self.model, self.frame, len(labels))
            pool = pool[other_than(pool, shapes)]
            at = np.zeros(0, np.int64)
            if self._learnt is not None:
                at = self._learnt[0].next_faces(pool.landmarks, AT_ONCE)
            if len(at) < AT_ONCE:
                at = varied(pool, AT_ONCE, shapes)
            self._add(pool.z[at])
            return len(labels)

    def begin(self, value: Any, points: list[list[float]]) -> None:
        """Takes the scheme that was made on the page, and its points on the first face. Raises LmedgeError for what is
        no scheme."""
        with self._choosing:
            if self.labels is not None or self.start is None:
                raise UsageError("the scheme was made in another window; load the page again.")
            scheme = Scheme.from_json(value, "The scheme")
            if len(points) != scheme.count:
                raise UsageError(f"the scheme has {scheme.count} points, and {len(points)} are clicked.")
            placed = [Placed(x, y, VISIBLE).rounded() for x, y in points]
            for each in placed:  # before there is anything
                refuse_outside(each, self.model.width, self.model.height)
            labels = self.create(scheme)
            self.labels = labels
            self._add(self.start.z)
            for point, each in enumerate(placed):
                labels.place(0, point, each, Placed())

    # What is learnt meanwhile

    def learn(self) -> None:
        """Has the fit made anew, soon and beside."""
        with self._learning:
            self._wanted = True
            self._learning.notify_all()

    def close(self) -> None:
        """Ends what goes on beside."""
        with self._learning:
            self._closed = True
            self._learning.notify_all()
        self._learner.join()
        # For good: a thread that is still in TensorFlow when Python ends aborts the process.
        self._model_lock.acquire()

    def settled(self, timeout: float = 60.0) -> None:
        """Waits until nothing is left to learn; tests do."""
        with self._learning:
            self._learning.wait_for(lambda: not (self._wanted or self._busy), timeout)

    def _learn_on(self) -> None:
        while True:
            with self._learning:
                self._learning.wait_for(lambda: self._wanted or self._closed)
                if self._closed:
                    return
                self._wanted, self._busy = False, True
            if self.labels is not None:
                examples = self._examples()
                self._learnt = Fit(examples, self.frame, self.model.scheme), examples
            with self._learning:
                self._busy = False
                self._learning.notify_all()

    def _told(self) -> dict[str, Any] | None:
        """How good the fit is, on faces left out."""
        if self._learnt is None or not len(self._learnt[0].learnt):
            return None
        fit, examples = self._learnt
        off = examples.errors(fit.left_out.points)[:, fit.learnt]
        of_points = mean_known(off, axis=0)
        worst = int(of_points.argmax())
        return {"faces": len(examples), "error": float(mean_known(off)),
                "worst": fit.scheme.names[fit.learnt[worst]], "worst_error": float(of_points[worst])}  # fmt: skip

    def _examples(self) -> Examples:
        """The faces on which something is placed."""
        labels = self._labels()
        z, points, visibility = labels.now()
        return Examples(self._known()[: len(z)], points, visibility > NOT_PLACED, labels.scheme).begun

    def _proposals(self, known: NDArray[np.float32]) -> list[list[float | None] | None]:
        learnt = self._learnt
        nothing = np.zeros(0, np.int64)
        fit = learnt[0] if learnt else Fit(self._examples()[nothing], self.frame, self.model.scheme)
        guess = fit(known)
        found: list[list[float | None] | None] = []
        for (x, y), off in zip(guess.points[0].tolist(), guess.deviation[0].tolist(), strict=True):
            inside = -0.5 <= x <= self.model.width - 0.5 and -0.5 <= y <= self.model.height - 0.5  # and no nan
            found.append([x, y, off if np.isfinite(off) else None] if inside else None)
        return found

    def _known(self) -> NDArray[np.float32]:
        """The known landmarks of all faces of the labels."""
        with self._model_lock:
            z = self._labels().z
            if len(self._landmarks) < len(z):
                self._landmarks = np.concatenate([self._landmarks, self.model.landmarks(z[len(self._landmarks) :])])
            return self._landmarks[: len(z)]

    def _add(self, z: Latents) -> None:
        with self._model_lock:
            self._labels().add(z, self.model.render(z).images)

    def _labels(self) -> LabelFolder:
        if self.labels is None:
            raise UsageError("there is no scheme yet; make it first.")
        return self.labels

    def _check(self, face: int) -> LabelFolder:
        labels = self._labels()
        if not 0 <= face < len(labels):
            raise UsageError(f"there is no face {face}.")
        return labels


def _listed(points: NDArray[np.float32]) -> list[list[float]]:
    return points.round(3).astype(float).tolist()
