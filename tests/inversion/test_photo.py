import shutil

import numpy as np
import pytest
from PIL import Image

from lmedge.errors import LmedgeError, UsageError
from lmedge.inversion.options import InvertPhotoConfig
from lmedge.inversion.photo import invert_photo
from lmedge.run import Run
from tests.conftest import FOUND_LOOKS, drawn_photo


@pytest.fixture
def run(trained, tmp_path):
    return Run(shutil.copytree(trained, tmp_path / "run"))


def test_a_photo_stands_beside_its_inversion(run, tmp_path):
    photo = tmp_path / "me.png"
    Image.fromarray(drawn_photo(FOUND_LOOKS[0])).save(photo)
    result = invert_photo(InvertPhotoConfig(run=run.path, photo=photo))
    assert result.picture == run.path / "photos" / "me.png" and result.z.shape == (8,)
    with Image.open(result.picture) as picture:
        assert picture.size == (2 * 320 + 2, 320)
        right = np.asarray(picture.crop((322, 0, 642, 320)).resize((32, 32), Image.Resampling.BOX), np.float32)
    drawn = np.clip(np.asarray(run.generator()(result.z[None]))[0] * 127.5 + 128, 0, 255)
    assert np.corrcoef(right.ravel(), drawn.ravel())[0, 1] > 0.7  # the landmarks lie over it
    assert result.nme > 0 and result.fits == (result.explained >= 0.5)
    run.lgen_file.unlink()
    other = tmp_path / "other" / "me.png"
    other.parent.mkdir()
    Image.fromarray(drawn_photo(FOUND_LOOKS[1])).save(other)
    before = result.picture.read_bytes()
    with pytest.raises(UsageError, match=r"photos/me.png exists; add --overwrite or name another file"):
        invert_photo(InvertPhotoConfig(run=run.path, photo=other))
    assert result.picture.read_bytes() == before
    assert invert_photo(InvertPhotoConfig(run=run.path, photo=other, overwrite=True)).nme is None
    assert result.picture.read_bytes() != before
    with pytest.raises(UsageError, match=r"there.txt: take a name that ends in one of .png"):
        invert_photo(InvertPhotoConfig(run=run.path, photo=photo, out=tmp_path / "there.txt"))


def test_a_bad_photo_is_refused_in_a_sentence(run, tmp_path):
    text, blank = tmp_path / "text.jpg", tmp_path / "blank.png"
    text.write_text("not a photo")
    Image.new("RGB", (100, 100), "grey").save(blank)
    with pytest.raises(LmedgeError, match=r"text.jpg cannot be inverted: not an image\.$"):
        invert_photo(InvertPhotoConfig(run=run.path, photo=text))
    with pytest.raises(LmedgeError, match=r"blank.png cannot be inverted: no face found\.$"):
        invert_photo(InvertPhotoConfig(run=run.path, photo=blank))
    with pytest.raises(
        UsageError, match=rf"{tmp_path} is a folder; name a photo, or `lmedge invert {run.path} {tmp_path}"
    ):
        invert_photo(InvertPhotoConfig(run=run.path, photo=tmp_path))
