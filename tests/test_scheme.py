import json

import numpy as np
import pytest

from lmedge.annotators.face_mesh import FaceMesh
from lmedge.errors import LmedgeError, UsageError
from lmedge.evaluation.metrics import by_pose
from lmedge.faces.cartoon import draw_face
from lmedge.faces.look import random_look
from lmedge.faces.options import PrepareConfig, ToyConfig
from lmedge.faces.prepare import prepare
from lmedge.faces.toy import toy
from lmedge.judging.census import census
from lmedge.landmarks import mirrored
from lmedge.options import from_json, to_json
from lmedge.pose import pose
from lmedge.runtime.selection import Selection, check_pose
from lmedge.scheme import IBUG49, IBUG68, Scheme, converted, ibug, scheme_of

FIVE = Scheme(
    "five", ("right", "left", "tip", "mouth_right", "mouth_left"), (1, 0, 2, 4, 3), ((0, 2, 1), (3, 4)), (0, 1),
    ("ibug68/36", "ibug68/45", "ibug68/30", "ibug68/48", "ibug68/54"),
)  # fmt: skip


def changed(**parts):
    return {**FIVE.to_json(), **parts}


@pytest.fixture
def five_file(tmp_path):
    (tmp_path / "five.json").write_text(json.dumps(FIVE.to_json()))
    return tmp_path / "five.json"


def test_ibug49_is_the_68_without_jaw_and_inner_mouth_corners():
    assert IBUG49.count == 49
    assert IBUG49.origin == tuple(f"ibug68/{i}" for i in (*range(17, 60), 61, 62, 63, 65, 66, 67))
    assert IBUG49.reference == (19, 28)
    assert IBUG68.reference == (36, 45)


@pytest.mark.parametrize("scheme", [IBUG49, IBUG68, FIVE])
def test_the_mirror_is_the_one_of_the_faces(scheme):
    """The middle of many drawn faces is nearly symmetric: mirrored, each point falls on its partner."""
    points = [draw_face(random_look(np.random.default_rng((8, i))), 32)[1] for i in range(60)]
    face = converted(np.mean(points, axis=0), IBUG68, scheme).astype(np.float64)
    other = np.column_stack([face[:, 0].min() + face[:, 0].max() - face[:, 0], face[:, 1]])
    distance = np.linalg.norm(other[:, None] - face[None], axis=-1)
    assert distance.argmin(axis=1).tolist() == list(scheme.mirror)
    assert mirrored(face.astype(np.float32), 32, scheme)[0, 0] == pytest.approx(31 - face[scheme.mirror[0], 0])


def test_names_say_whose_eye_it_is():
    assert IBUG68.names[36] == "right_eye_0" and IBUG49.names[25] == "left_eye_0"
    assert len(set(IBUG68.names)) == 68


def test_points_are_the_same_where_they_come_from_the_same():
    points = np.arange(136, dtype=np.float32).reshape(68, 2)
    assert converted(points, IBUG68, IBUG49)[0].tolist() == [34, 35]
    assert converted(points, IBUG68, FIVE)[:, 0].tolist() == [72, 90, 60, 96, 108]
    with pytest.raises(UsageError, match=r"ibug49 has no jaw_0 \(ibug68/0\), so it cannot give ibug68"):
        converted(points[:49], IBUG49, IBUG68)
    hand = Scheme.from_json(changed(name="hand", origin=["hand"] * 5), "here")
    assert hand.index("hand/tip") == 2 and not hand.has("ibug68/30")
    with pytest.raises(UsageError, match=r"no right \(hand/right\)"):
        converted(points, IBUG68, hand)
    with pytest.raises(UsageError, match="the landmark scheme five has no point ibug68/62"):
        FIVE.index("ibug68/62")


def test_some_of_the_68_are_a_scheme():
    scheme = ibug("eyes", (45, 36))
    assert (scheme.mirror, scheme.curves, scheme.reference) == ((1, 0), (), (1, 0))


@pytest.mark.parametrize("scheme", [IBUG49, IBUG68, FIVE])
def test_a_scheme_survives_its_file(scheme):
    assert Scheme.from_json(json.loads(json.dumps(scheme.to_json())), "here") == scheme


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (None, "has None for a landmark scheme"),
        ([], r"has \[\] for a landmark scheme"),
        ({}, "lacks 'name'; add it, a text"),
        (changed(names=5), "has 5 for 'names'; write a list of what the points are called"),
        (changed(name=True), "has True for 'name'; write a text"),
        (changed(curve=[]), "has 'curve', which is no part of a landmark scheme; did you mean curves"),
        (changed(licence="mine"), "has 'licence', .*; take one of name, names, mirror, curves, reference, origin"),
        (changed(name="\x1b[2J"), "begin names with a letter"),
        (changed(name=" "), "has the name ' '; begin names with a letter"),
        (changed(name="../x"), "has the name '../x'; begin names with a letter"),
        (changed(names=["=1+1", "a", "b", "c", "d"]), "has the name '=1"),
        (changed(names=["a ", "a", "b", "c", "d"]), "has the name 'a '; .* end them with no space"),
        (changed(name="n" * 101), "take up to 100 characters"),
        (changed(names=[]), "0 points; name 1 to 1000"),
        (changed(names=[str(i) for i in range(1001)]), "1001 points"),
        (changed(names=["a", "a", "b", "c", "d"]), "two points called 'a'"),
        (changed(names=["a", {}, "b", "c", "d"]), "has the name {}"),
        (changed(origin=["hand"] * 4), "4 origins for 5 points; say one for each"),
        (changed(origin=["hand"] * 4 + [3.5]), "has the origin 3.5"),
        (changed(origin=["ibug68/1"] * 5), "two points of the origin 'ibug68/1'"),
        (changed(origin=["ibug68/../1"] + ["hand"] * 4), "has the name '..'"),
        (changed(mirror=[0, 1, 2, 3]), "no permutation; list each index from 0 to 4 once"),
        (changed(mirror=[0, 0, 2, 3, 4]), "no permutation"),
        (changed(mirror=[0, 1, 2, 3, 5]), "no permutation"),
        (changed(mirror=[False, True, 2, 3, 4]), "no permutation"),
        (changed(mirror=[1, 2, 0, 3, 4]), "not its own inverse"),
        (changed(curves=[[0, 5]]), "through points that there are not"),
        (changed(curves=[[0, -1]]), "through points that there are not"),
        (changed(curves=["01"]), "through points that there are not"),
        (changed(curves=[[1]]), "fewer than two; list two or more in each, of 0 to 4"),
        (changed(curves=[[0, 1] * 6000]), "too many points; list up to 10000"),
        (changed(reference=[0]), "not two points; name two of 0 to 4"),
        (changed(reference=[2, 2]), "not two points"),
        (changed(reference=[0, 1.0]), "not two points"),
    ],
)
def test_what_is_no_scheme_is_refused_with_a_sentence(value, what):
    with pytest.raises(LmedgeError, match=rf"^faces/dataset.json has.*{what}|^faces/dataset.json.*{what}") as refusal:
        Scheme.from_json(value, "faces/dataset.json")
    assert len(str(refusal.value)) < 400


@pytest.mark.parametrize(
    ("names", "origin", "mirror", "said"),
    [
        (FIVE.names, FIVE.origin, [0, 1, 2, 3, 4], r"a mirror that takes right to right; write 1 \(left\) at place 0"),
        (list("abcde"), FIVE.origin, [0, 1, 2, 4, 3], r"a mirror that takes a to a; write 1 \(b\) at place 0"),
        (FIVE.names, FIVE.origin, [1, 0, 2, 3, 4], r"write 4 \(mouth_left\) at place 3"),
        (list("abcde"), FIVE.origin, [1, 0, 3, 2, 4], r"takes c to d; write 2 \(c\) at place 2"),
        (["eye R", "eye L", "tip", "b", "c"], ["hand"] * 5, [0, 1, 2, 4, 3], r"write 1 \(eye L\) at place 0"),
        (["LeftEye", "RightEye", "tip", "b", "c"], ["hand"] * 5, [0, 1, 2, 4, 3], "write 1"),
    ],
)
def test_a_mirror_that_leaves_a_side_where_it_is_is_refused(names, origin, mirror, said):
    with pytest.raises(LmedgeError, match=f"^here has {said}" if said.startswith("a ") else said):
        Scheme.from_json(changed(names=list(names), origin=list(origin), mirror=mirror), "here")


@pytest.mark.parametrize("names", [["left_a", "left_b", "bright", "ball", "rim"], ["bridge_1", "tip", "c", "d", "e"]])
def test_points_of_the_middle_may_stay_where_they_are(names):
    """Of what no file says, the user's word counts."""
    middle = changed(names=names, origin=["hand"] * 5, mirror=[0, 1, 2, 3, 4])
    assert Scheme.from_json(middle, "here").mirror == (0, 1, 2, 3, 4)


def test_a_file_of_another_editor_is_read_as_any_other(five_file):
    five_file.write_text(five_file.read_text(), encoding="utf-8-sig")
    assert scheme_of(str(five_file)) == FIVE


def test_an_option_takes_a_name_a_file_or_a_scheme(five_file):
    assert ToyConfig(out="a", scheme="ibug68").scheme == IBUG68
    config = ToyConfig(out="a", scheme=str(five_file))
    assert config.scheme == FIVE == ToyConfig(out="a", scheme=FIVE).scheme
    with pytest.raises(UsageError, match=r"--pts-scheme none.json is neither one of ibug68, ibug49 nor a JSON file"):
        PrepareConfig(photos="p", out="a", pts_scheme="none.json")
    five_file.write_text(json.dumps(changed(name="ibug49")))
    with pytest.raises(UsageError, match="is called ibug49 and is not the built-in scheme"):
        scheme_of(str(five_file))


def test_recorded_options_need_the_file_no_more(five_file):
    config = ToyConfig(out="a", scheme=str(five_file))
    five_file.unlink()
    assert from_json(ToyConfig, to_json(config), five_file) == config
    assert to_json(ToyConfig(out="a"))["scheme"] == "ibug49"
    with pytest.raises(UsageError, match="scheme is 5, not the name of a landmark scheme"):
        from_json(ToyConfig, {"out": "a", "scheme": 5}, five_file)


def test_what_cannot_be_had_is_refused_before_any_work(tmp_path, photos):
    hand = Scheme.from_json(changed(name="mine", origin=[*FIVE.origin[:4], "hand"]), "here")
    with pytest.raises(UsageError, match=r"Face Mesh has no mouth_left \(hand/mouth_left\), so it cannot give mine"):
        prepare(PrepareConfig(photos=photos, out=tmp_path / "a", scheme=hand))
    with pytest.raises(UsageError, match="a drawn face has no mouth_left"):
        toy(ToyConfig(out=tmp_path / "a", scheme=hand))
    with pytest.raises(UsageError, match="--crop landmarks: the landmark scheme five lacks points of iBUG's eyes"):
        prepare(PrepareConfig(photos=photos, out=tmp_path / "a", scheme=FIVE, crop="landmarks"))
    assert not list(tmp_path.iterdir())


def test_face_mesh_gives_its_own_vertices():
    own = Scheme.from_json(changed(name="mesh", origin=["facemesh/33", "facemesh/263", *FIVE.origin[2:]]), "here")
    face = draw_face(random_look(np.random.default_rng((0, 37))), 128)[0]
    with FaceMesh() as mesh:
        mine, whole = mesh.of_face(face, own), mesh.of_face(face, IBUG68)
    # What stands for the outer eye corners of the 68 are these two vertices.
    assert mine == pytest.approx(whole[[36, 45, 30, 48, 54]], abs=1e-4)


def test_what_lacks_its_points_is_done_without():
    points = np.random.default_rng(0).uniform(4, 28, (12, 5, 2)).astype(np.float32)
    turned, gap = pose(points, FIVE)
    eyes = np.linalg.norm(points[:, 1] - points[:, 0], axis=1)
    assert turned == pytest.approx((points[:, 2, 0] - points[:, :2, 0].mean(axis=1)) / eyes, rel=1e-4) and gap is None
    assert pose(points[:, :2], ibug("eyes", (36, 45))) == (None, None)
    counted = census(np.zeros((12, 32, 32, 3), np.uint8), points, FIVE)
    assert set(counted) == {"faces", "skin", "turned"}
    assert set(by_pose(np.ones(12, np.float32), points, FIVE)) == {"frontal", "turned", "to half profile"}
    check_pose(Selection(yaw=(-5, 5)), FIVE)
    with pytest.raises(UsageError, match=r"--mouth-open 0.1 0.2: the landmark scheme five has no ibug68/62, by which"):
        check_pose(Selection(mouth_open=(0.1, 0.2)), FIVE)
