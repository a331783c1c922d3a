import json
import shutil
import subprocess

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from convert.options import ExportConfig
from convert.single import single
from convert.stage import export_run
from lmedge.errors import LmedgeError, UsageError
from lmedge.latent import uniform
from lmedge.runtime import FaceSampler

# What a firmware would do, as far as a desk has it: reads the header, takes the arrays.
PROGRAM = r"""
#include <stdint.h>
#include <stdio.h>
#include "lmedge_faces.h"
static void save(const char *path, const unsigned char *data, unsigned length) {
  FILE *file = fopen(path, "wb");
  fwrite(data, 1, length, file);
  fclose(file);
}
int main(void) {
  save("generator.tflite", lmedge_generator, sizeof lmedge_generator);
  save("lgen.tflite", lmedge_lgen, LMEDGE_LGEN_BYTES);
  printf("[%d, %d, %d, %d, %.9g, %d, %.9g, %d, %.9g, %d, %.9g, %d, %d, \"%s\", %d]\n", LMEDGE_LATENT_SIZE,
         LMEDGE_IMAGE_HEIGHT, LMEDGE_IMAGE_WIDTH, LMEDGE_LANDMARK_COUNT, LMEDGE_GENERATOR_LATENT_SCALE,
         LMEDGE_GENERATOR_LATENT_ZERO_POINT, LMEDGE_GENERATOR_IMAGE_SCALE, LMEDGE_GENERATOR_IMAGE_ZERO_POINT,
         LMEDGE_LGEN_LANDMARKS_SCALE, LMEDGE_LGEN_LANDMARKS_ZERO_POINT, LMEDGE_LGEN_LATENT_SCALE,
         LMEDGE_LGEN_LATENT_ZERO_POINT, (int)((uintptr_t)lmedge_lgen % 16), lmedge_landmark_names[10],
         lmedge_landmark_mirror[0]);
  return 0;
}
"""


@pytest.fixture(scope="module")
def compiled(every_variant, tmp_path_factory):
    """The folder with what the compiled program wrote, and what it said."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    folder = tmp_path_factory.mktemp("firmware")
    (folder / "main.c").write_text(PROGRAM)
    strict = ["gcc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", f"-I{every_variant / 'c'}", "main.c"]
    sources = [str(every_variant / "c" / f"lmedge_{name}.c") for name in ("generator", "lgen")]
    subprocess.run([*strict, *sources, "-o", "main"], cwd=folder, check=True)
    said = subprocess.run(["./main"], cwd=folder, check=True, capture_output=True, text=True).stdout
    return folder, json.loads(said)


def invoked(path, z):
    """The output of a lone model for int8 latents, by an interpreter that knows nothing of us."""
    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    (given,), (made,) = interpreter.get_input_details(), interpreter.get_output_details()
    outputs = []
    for one in z:
        interpreter.set_tensor(given["index"], one[None])
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(made["index"])[0])
    return np.array(outputs), given["quantization"], made["quantization"]


def test_the_compiled_arrays_are_models_that_give_what_the_bundle_gives(compiled, every_variant):
    folder, said = compiled
    sampler = FaceSampler(every_variant, "int8-io")
    z = sampler.inputs(uniform(5, 8, 3))
    assert z.dtype == np.int8
    whole = sampler.render(uniform(5, 8, 3))
    image, latent, levels = invoked(folder / "generator.tflite", z)
    assert (np.clip(np.rint((image.astype(np.float32) - levels[1]) * levels[0]), 0, 255) == whole.images).all()
    points, _, grid = invoked(folder / "lgen.tflite", z)
    real = (points.astype(np.float32) - grid[1]) * grid[0]
    assert real * 32 - 0.5 == pytest.approx(whole.landmarks, abs=1e-4)
    assert said[:4] == [8, 32, 32, 49] and said[4:6] == pytest.approx(latent, rel=1e-6)
    assert said[6:8] == pytest.approx(levels, rel=1e-6) and said[8:10] == pytest.approx(grid, rel=1e-6)


def test_the_header_names_what_a_firmware_needs(compiled, every_variant):
    _, said = compiled
    scheme = FaceSampler(every_variant, "int8-io").scheme
    assert said[12:] == [0, scheme.names[10], scheme.mirror[0]]  # aligned to 16 bytes
    header = (every_variant / "c" / "lmedge_faces.h").read_text()
    assert "CC0-1.0" in header  # the licence of the training data


def test_the_arrays_compile_as_cpp(every_variant):
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    for name in ("generator", "lgen"):
        source = str(every_variant / "c" / f"lmedge_{name}.c")
        subprocess.run(["g++", "-x", "c++", "-std=c++11", "-Wall", "-Werror", "-fsyntax-only", source], check=True)


def test_a_single_signature_carries_its_own_weights_only(every_variant):
    model = (every_variant / "faces-int8-io.tflite").read_bytes()
    sizes = {key: len(single(model, key)) for key in ("generate", "landmarks", "sample")}
    assert sizes["generate"] < sizes["sample"] < len(model)
    assert sizes["generate"] + sizes["landmarks"] < 1.3 * sizes["sample"]
    with pytest.raises(LmedgeError, match="no signature 'detect'"):
        single(model, "detect")


def test_c_arrays_need_the_int8_io_variant(trained, tmp_path):
    for options in ({"variants": ("fp32",)}, {"variants": ("int8-io",), "signatures": False}):
        with pytest.raises(UsageError, match="--c-array writes the networks of int8-io; add it to --variants"):
            export_run(ExportConfig(run=trained, out=tmp_path / "out", c_array=True, **options))
    assert not (tmp_path / "out").exists()
