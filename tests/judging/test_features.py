import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageFilter

from lmedge.errors import LmedgeError, UsageError
from lmedge.faces.options import ToyConfig
from lmedge.faces.records import FaceDataset
from lmedge.faces.toy import toy
from lmedge.judging.distances import frechet, kernel_distance
from lmedge.judging.features import GAIN, extractor, filters
from lmedge.judging.neighbours import nearest
from lmedge.latent import uniform


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    out = tmp_path_factory.mktemp("faces") / "toys"
    toy(ToyConfig(out=out, count=256, size=32, workers=1, seed=5))
    return FaceDataset(out).images(np.arange(256))


def blurred(faces, radius):
    return np.stack([np.asarray(Image.fromarray(face).filter(ImageFilter.GaussianBlur(radius))) for face in faces])


def noisy(faces, levels):
    noise = np.random.default_rng(0).normal(0, levels, faces.shape)
    return np.clip(faces + noise, 0, 255).astype(np.uint8)


def moved(faces, pixels):
    return np.roll(faces, pixels, axis=2)


def of_few(faces, count):
    return np.resize(faces[:count], faces.shape)


@pytest.mark.parametrize(("spoil", "degrees"), [(blurred, (0.5, 1, 2)), (noisy, (5, 15, 40)), (moved, (1, 3, 6)),
                                                (of_few, (32, 8, 2))])  # fmt: skip
@pytest.mark.parametrize("distance", [frechet, kernel_distance])
def test_the_distance_grows_with_what_is_spoilt(faces, spoil, degrees, distance):
    features = filters()
    real, other = features(faces[:128]), faces[128:]
    values = [distance(real, features(other)), *(distance(real, features(spoil(other, d))) for d in degrees)]
    assert values == sorted(values) and values[-1] > 3 * abs(values[0])


def test_the_finest_octave_is_the_formula_in_numpy(faces):
    face = np.kron(faces[0], np.ones((2, 2, 1), np.uint8))  # 64 pixels
    image = face.astype(np.float64) / 127.5 - 1
    coarse = image.reshape(32, 2, 32, 2, 3).mean(axis=(1, 3))
    up = tf.image.resize(coarse[None], (64, 64)).numpy()[0]
    kernel = uniform(32, 75, 100).astype(np.float64)
    kernel -= kernel.mean(axis=1, keepdims=True)
    kernel /= np.linalg.norm(kernel, axis=1, keepdims=True)
    padded = np.pad(image - up, ((2, 2), (2, 2), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 5), axis=(0, 1)).transpose(0, 1, 3, 4, 2)
    answer = np.abs(windows.reshape(64, 64, 75) @ kernel.T)
    cells = answer.reshape(4, 16, 4, 16, 32).mean(axis=(1, 3)).reshape(-1)
    projection = np.linalg.qr(uniform(512, 48, 200).astype(np.float64))[0]
    assert filters()(face[None])[0, :48] == pytest.approx(GAIN * cells @ projection, abs=2e-3)


def test_a_network_in_a_file_can_be_the_extractor(faces, tmp_path):
    network = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.AveragePooling2D(8), keras.layers.Flatten()])
    network.save(tmp_path / "mean.keras")
    wanted = tf.image.resize(faces[:3].astype(np.float32) / 127.5 - 1, (16, 16)).numpy()
    wanted = wanted.reshape(3, 2, 8, 2, 8, 3).mean(axis=(2, 4)).reshape(3, -1)
    assert extractor(str(tmp_path / "mean.keras"))(faces[:3]) == pytest.approx(wanted, abs=1e-4)
    fixed = keras.Sequential([keras.Input(batch_shape=(1, 16, 16, 3)), *network.layers])
    (tmp_path / "mean.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(fixed).convert())
    assert extractor(str(tmp_path / "mean.tflite"))(faces[:3]) == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("fid", "take filters, keras:NAME, or a .keras or .tflite file"),
        ("gone.keras", "there is no such file"),
        ("keras:Inception7", "Keras has no application 'Inception7'"),
    ],
)
def test_unknown_features_are_refused(spec, reason):
    with pytest.raises(UsageError, match=reason):
        extractor(spec)


def test_files_that_are_no_extractor_are_refused(faces, tmp_path):
    for name in ("text.keras", "text.tflite"):
        (tmp_path / name).write_text("no network")
        with pytest.raises(LmedgeError, match=name):
            extractor(str(tmp_path / name))
    keras.Sequential([keras.Input((16, 16, 3)), keras.layers.AveragePooling2D(8)]).save(tmp_path / "maps.keras")
    with pytest.raises(LmedgeError, match="one finite vector for each"):
        extractor(str(tmp_path / "maps.keras"))(faces[:2])


def test_weights_that_are_not_at_hand_are_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))

    def offline(*args, **options):
        raise OSError("no network")

    monkeypatch.setattr("keras.src.utils.file_utils.get_file", offline)
    monkeypatch.setattr("keras.src.applications.mobilenet.file_utils.get_file", offline)
    with pytest.raises(LmedgeError, match=r"weights of MobileNet are not in ~/.keras and cannot be fetched"):
        extractor("keras:MobileNet")


def test_a_copied_face_is_found_also_mirrored_and_not_itself_where_excluded(tmp_path):
    toy(ToyConfig(out=tmp_path / "toys", count=40, size=32, workers=1))
    dataset = FaceDataset(tmp_path / "toys")
    stored = dataset.images(np.arange(40))
    asked = np.stack([stored[7], stored[9][:, ::-1], noisy(stored[11:12], 3)[0]])
    found = nearest(asked, dataset)
    assert found.index.tolist() == [7, 9, 11] and found.mirrored.tolist() == [False, True, False]
    assert found.distance[:2] == pytest.approx(0, abs=0.1) and 1 < found.distance[2] < 5
    others = nearest(stored[[7]], dataset, np.array([[7, -1]]))
    flat = stored.reshape(40, -1).astype(float)
    mirrored = stored[:, :, ::-1].reshape(40, -1).astype(float)
    away = [min(np.sqrt(((flat[7] - o[i]) ** 2).mean()) for o in (flat, mirrored)) for i in range(40) if i != 7]
    assert others.distance[0] == pytest.approx(min(away), rel=1e-3)
