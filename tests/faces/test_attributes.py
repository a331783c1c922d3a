import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from lmedge.errors import LmedgeError, UsageError
from lmedge.faces.add_attributes import add_attributes
from lmedge.faces.attributes import read_attributes
from lmedge.faces.options import AddAttributesConfig, PrepareConfig
from lmedge.faces.prepare import prepare
from lmedge.faces.records import FaceDataset
from tests.conftest import REAL_DATA
from tests.faces.test_prepare import marked_photos

NAN = float("nan")
CELEBA = "3\nSmiling Male\n000.png  1 -1\n001.png -1 -1\n003.png  1  0\n"
CSV = "file,Smiling,Male\n000.png,1,-1\n001.png,-1,-1\n003.png,1,\n"
CSV_OF_ZEROS = "photo,Smiling,Male\n000.png,1,0\n\n001.png,0,0\n003.png,1,\n"
VALUES = [[1, -1], [-1, -1], [NAN, NAN], [1, NAN]]  # of 000.png to 003.png


def written(folder, text, name="attributes.txt"):
    (folder / name).write_text(text)
    return folder / name


@pytest.mark.parametrize("text", [CELEBA, CSV, CSV_OF_ZEROS, "\ufeff" + CSV.replace("\n", "\r\n")])
def test_both_formats_say_the_same(tmp_path, text):
    table = read_attributes(written(tmp_path, text))
    assert table.names == ("Smiling", "Male")
    found = [table.of(f"any/where/{i:03}.png") for i in range(4)]
    np.testing.assert_array_equal(found, VALUES)


@pytest.mark.skipif(not (REAL_DATA / "celeba").exists(), reason="without CelebA")
def test_celebas_own_file_is_read_as_numpy_reads_it():
    file = REAL_DATA / "celeba" / "list_attr_celeba.txt"
    table = read_attributes(file)
    raw = np.loadtxt(file, dtype=str, skiprows=2)
    assert (table.values == raw[:, 1:].astype(int)).all() and list(table.rows) == raw[:, 0].tolist()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "neither CelebA's"),
        ("Smiling Male\n000.png 1 1\n", "neither CelebA's .*'Smiling Male'"),
        ("4\nSmiling\n000.png 1\n", "says that it names 4 photos and names 1"),
        ("1\nSmiling Male\n000.png 1\n", "line 3 has 1 values for 2 attributes"),
        ("file,Smiling\n000.png,yes\n", "line 2: Smiling is 'yes', not 1"),
        ("file,Smiling\n000.png,1\n001.png,0\n002.png,-1\n", "Smiling has both 0 and -1"),
        ("file,Smiling\n000.png,1\n000.png,1\n", "line 3: '000.png' stands there twice"),
        ("file,Smiling,Smiling\n000.png,1,1\n", "attribute 'Smiling' twice"),
        ("file,a=b\n000.png,1\n", "has 'a=b' for the name of an attribute"),
        ("file,Smiling\n", "names no photo"),
        ("file," + ",".join(map(str, range(300))) + "\n", "has 300 attributes"),
    ],
)
def test_a_file_of_another_form_is_refused_with_its_place(tmp_path, text, said):
    with pytest.raises(LmedgeError, match=f"^--attributes {written(tmp_path, text)}.*{said}"):
        read_attributes(tmp_path / "attributes.txt")


def test_records_carry_what_the_file_says_and_nothing_for_photos_that_it_does_not_name(tmp_path, lmedge_here):
    options = marked_photos(tmp_path / "photos", 4)
    out = tmp_path / "faces"
    prepare(PrepareConfig(out=out, attributes=written(tmp_path, CELEBA), **options))
    spec = {"attributes": tf.io.FixedLenFeature([2], tf.float32), "source": tf.io.FixedLenFeature([], tf.string)}
    examples = tf.data.TFRecordDataset([str(out / "faces-00000-of-00001.tfrecord")])
    read = [tf.io.parse_single_example(example, spec) for example in examples]
    assert [each["source"].numpy().decode() for each in read] == [f"{i:03}.png" for i in range(4)]
    np.testing.assert_array_equal([each["attributes"].numpy() for each in read], VALUES)
    dataset = FaceDataset(out)
    assert dataset.attribute_names == ("Smiling", "Male")
    np.testing.assert_array_equal(dataset.part(np.array([3, 0])).attributes, [VALUES[3], VALUES[0]])
    about = json.loads((out / "dataset.json").read_text())["attributes"]
    assert about["names"] == ["Smiling", "Male"] and about["from"] == "attributes.txt"
    assert (about["labelled"], about["yes"], about["no"]) == (3, [2, 0], [1, 2])
    assert "attributes  2, known of 3 faces" in lmedge_here("info", out).stdout
    with pytest.raises(UsageError, match="names none of the 4 photos: it has 'me.jpg', they have '000.png'"):
        other = written(tmp_path, "file,Smiling\nme.jpg,1\n", "other.csv")
        prepare(PrepareConfig(out=tmp_path / "none", attributes=other, **options))


def test_a_dataset_gets_attributes_later_and_goes_by_the_same_digest(toys, tmp_path, lmedge_here):
    rows = "".join(f"toy-{i:07},{i % 2},{i % 3 == 0:d}\n" for i in range(5, 20))
    out = tmp_path / "labelled"
    said = lmedge_here("add-attributes", toys, written(tmp_path, "file,Odd,Third\n" + rows), "--out", out)
    assert said.returncode == 0 and "2 attributes of 15 of 48 faces" in said.stdout
    before, after = FaceDataset(toys), FaceDataset(out)
    every = np.arange(48)
    assert (before.images(every) == after.images(every)).all() and (before.landmarks == after.landmarks).all()
    assert (before.sources == after.sources).all() and before.digest == after.digest
    assert not before.attribute_names and before.attributes.shape == (48, 0)
    assert after.attributes[5:8].tolist() == [[1, -1], [-1, 1], [1, -1]]
    assert np.isnan(after.attributes[[*range(5), *range(20, 48)]]).all()
    add_attributes(AddAttributesConfig(faces=out, attributes=written(tmp_path, CSV_TOY), out=tmp_path / "again"))
    again = FaceDataset(tmp_path / "again")
    assert again.attribute_names == ("Drawn",) and again.digest == before.digest
    assert {file.name for file in out.iterdir()} == {file.name for file in toys.iterdir()}


def test_refusals_call_the_file_as_the_command_line_does(toys, tmp_path, lmedge_here):
    odd = written(tmp_path, "file,Odd\ntoy-0000001,yes\n")
    strange = written(tmp_path, "file,Odd\nme.jpg,1\n", "strange.csv")
    for file, said in (
        (odd, f"FILE {odd}, line 2: Odd is 'yes'"),
        (strange, f"FILE {strange} names none of the 48 photos"),
        (tmp_path, f"FILE {tmp_path} is a folder; name a file."),
        (tmp_path / "no", f"FILE {tmp_path / 'no'} cannot be read (No such file or directory)"),
    ):
        told = lmedge_here("add-attributes", toys, file, "--out", tmp_path / "out")
        assert told.returncode and told.stderr.startswith(f"lmedge: {said}") and told.stderr.count("\n") == 1
    with pytest.raises(UsageError, match=f"^--attributes {tmp_path} is a folder"):
        prepare(PrepareConfig(out=tmp_path / "out", photos=(tmp_path,), attributes=tmp_path))


CSV_TOY = "file,Drawn\ntoy-0000000,1\n"


def test_other_faces_under_the_same_description_have_another_digest(toys, tmp_path):
    labelled = tmp_path / "labelled"
    add_attributes(AddAttributesConfig(faces=toys, attributes=written(tmp_path, CSV_TOY), out=labelled))
    from tests.conftest import reordered

    assert FaceDataset(reordered(labelled, tmp_path / "other")).digest != FaceDataset(toys).digest


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"names": [3]}, "has 3 for the name of an attribute"),
        ({"names": "Smiling"}, "not a list"),
        ([], "not an object"),
        ({"names": ["Drawn", "Other"]}, "has a record without its attributes"),
    ],
)
def test_a_dataset_whose_attributes_were_edited_is_refused(toys, tmp_path, attributes, said):
    labelled = tmp_path / "labelled"
    shutil.copytree(toys, labelled)
    about = json.loads((labelled / "dataset.json").read_text())
    (labelled / "dataset.json").write_text(json.dumps({**about, "attributes": attributes}))
    with pytest.raises(LmedgeError, match=said):
        _ = FaceDataset(labelled).attributes
