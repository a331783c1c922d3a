"""A bundle of a generator that draws from more than one uniform block."""

import json

import keras
import pytest
from mediapipe.tasks.python.metadata.metadata import MetadataDisplayer

from convert import export
from lmedge.about.summary import summary
from lmedge.block import Block
from lmedge.errors import LmedgeError
from lmedge.latent import LatentSpec
from lmedge.runtime import Bundle, FaceSampler
from lmedge.scheme import IBUG49

SPEC = LatentSpec((Block("shape", 5), Block("style", 3, "normal", -1.5, 2.0, searched=False)))


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Generator, L-Gen and their bundle."""
    keras.utils.set_random_seed(3)
    z = keras.Input((8,))
    image = keras.layers.Reshape((16, 16, 3))(keras.layers.Dense(768)(z))
    generator = keras.Model(z, keras.layers.Conv2D(3, 3, padding="same")(image))
    lgen = keras.Model(z, keras.layers.Reshape((49, 2))(keras.layers.Dense(98, bias_initializer="ones")(z)))
    out = tmp_path_factory.mktemp("latent") / "bundle"
    return generator, lgen, export(generator, lgen, ("fp32",), out=out, scheme=IBUG49, latent=SPEC, calibration=8)


def test_the_bundle_and_its_model_say_what_latents_are_and_samplers_draw_them(exported):
    _, _, bundle = exported
    alone = Bundle.open(bundle.variants["fp32"])
    assert bundle.latent == alone.latent == SPEC
    assert bundle.about["latent"] == SPEC.to_json()
    for opened in (bundle, alone):
        faces = FaceSampler(opened, threads=1).sample(3, seed=7, first=2)
        assert (faces.latents == SPEC.draw(3, 7, 2)).all()
    assert (FaceSampler(bundle, threads=1).near(SPEC.high, 9, 2).latents <= SPEC.high).all()


def test_the_standard_metadata_has_the_bounds_of_each_number(exported):
    shown = json.loads(MetadataDisplayer.with_model_file(str(exported[2].variants["fp32"])).get_metadata_json())
    assert str(SPEC) in shown["description"]
    z = shown["subgraph_metadata"][0]["input_tensor_metadata"][0]
    assert z["description"] == f"Latent: {SPEC}."
    assert z["stats"] == {"min": [-1.0] * 5 + [-1.5] * 3, "max": [1.0] * 5 + [2.0] * 3}


def test_info_says_it_in_words(exported):
    facts = {"kind": "bundle", **exported[2].about}
    assert " ".join(" ".join(summary(facts)).split()).count(f"latent {SPEC}") == 1  # a row for each block
    assert not [line for line in summary({**facts, "latent": {"size": "x"}}) if line.startswith("latent")]


def test_a_description_of_another_length_is_refused(exported, tmp_path):
    generator, lgen, bundle = exported
    with pytest.raises(LmedgeError, match="the generator reads latents of 8 components, and 9 are described"):
        export(generator, lgen, ("fp32",), out=tmp_path / "out", scheme=IBUG49, latent=LatentSpec.uniform(9))
    data = bundle.variants["fp32"].read_bytes()
    path = tmp_path / "other.tflite"
    path.write_bytes(
        data.replace(b'{"size":8,"blocks":[{"name":"shape","size":5', b'{"size":9,"blocks":[{"name":"shape","size":6')
    )
    with pytest.raises(
        LmedgeError, match="takes latents of 8 numbers, and 9 numbers: shape 6 uniform in -1..1, style 3"
    ):
        FaceSampler(path, threads=1)
    path.write_bytes(data.replace(b'"high":2.0', b'"high":-9 '))
    with pytest.raises(LmedgeError, match="block style has 3 numbers in -1.5..-9"):
        FaceSampler(path, threads=1)
