"""L-Gen and the int8 generator as C arrays: for microcontrollers, which have no file system."""

from pathlib import Path
from typing import Any

from convert import flatbuffer as fb
from convert.single import single
from lmedge.latent import LatentSpec
from lmedge.storage import write_bytes

VARIANT = "int8-io"  # latents, image and landmarks in int8: no float op on the device
NETWORKS = {"generator": ("generate", "image"), "lgen": ("landmarks", "landmarks")}  # name -> signature, its output
HEADER, BYTES_A_LINE = "lmedge_faces.h", 12


def write_c_arrays(model: bytes, about: dict[str, Any], folder: Path) -> list[Path]:
    """`model` is the int8-io variant of a bundle and `about` its bundle.json; writes lmedge_faces.h, lmedge_generator.c
    and lmedge_lgen.c into `folder`, which is made, and returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    models = {name: single(model, signature) for name, (signature, _) in NETWORKS.items()}
    for name, data in models.items():
        files.append(folder / f"lmedge_{name}.c")
        write_bytes(files[-1], _array(name, data).encode())
    write_bytes(folder / HEADER, _header(models, about).encode())
    return [folder / HEADER, *files]


def _array(name: str, data: bytes) -> str:
    rows = (data[i : i + BYTES_A_LINE] for i in range(0, len(data), BYTES_A_LINE))
    body = ",\n  ".join(", ".join(f"0x{byte:02x}" for byte in row) for row in rows)
    return (
        f'#include "{HEADER}"\n\n'
        f"LMEDGE_ALIGNED const unsigned char lmedge_{name}[LMEDGE_{name.upper()}_BYTES] = {{\n  {body}\n}};\n"
    )


def _header(models: dict[str, bytes], about: dict[str, Any]) -> str:
    image, landmarks = about["image"], about["landmarks"]
    latent = LatentSpec.from_json(about["latent"], "bundle.json")
    numbers: list[tuple[str, str, str]] = [
        ("LATENT_SIZE", str(latent.size), f"z: {latent}"),
        ("IMAGE_HEIGHT", str(image["height"]), "image [height][width][3], RGB"),
        ("IMAGE_WIDTH", str(image["width"]), ""),
        ("LANDMARK_COUNT", str(landmarks["count"]), f"landmarks [count][2], x and y: {landmarks['form']}"),
    ]
    for name, data in models.items():
        parsed = fb.read(data)
        signature, output = fb.signature(parsed, NETWORKS[name][0]), NETWORKS[name][1]
        tensors = parsed.subgraphs[0].tensors
        for what, maps, key in (("LATENT", signature.inputs, "z"), (output.upper(), signature.outputs, output)):
            quantisation = tensors[fb.named(maps)[key]].quantization
            place = f"{name.upper()}_{what}"
            numbers += [
                (f"{place}_SCALE", f"{float(quantisation.scale[0])!r}f", "real value = scale * (int8 - zero point)"),
                (f"{place}_ZERO_POINT", f"({int(quantisation.zeroPoint[0])})", ""),
            ]
        numbers.append((f"{name.upper()}_BYTES", str(len(data)), ""))
    notes = [f"  /* {note} */" if note else "" for *_, note in numbers]
    defines = "\n".join(f"#define LMEDGE_{n} {value}{note}" for (n, value, _), note in zip(numbers, notes, strict=True))
    names = ",\n  ".join(f'"{name}"' for name in landmarks["names"])
    mirror = ", ".join(map(str, landmarks["mirror"]))
    licence = str(about.get("training", {}).get("licence", "not stated")).replace("*/", "* /")
    return f"""/* {about["name"]} {about["version"]}: a face generator, and its landmarks ({landmarks["scheme"]}).
   For TFLite Micro. Made by lmedge {about["lmedge"]}. Licence of the training data: {licence}

   lmedge_generator: int8 z [1][LMEDGE_LATENT_SIZE] -> int8 image [1][height][width][3]; level 0..255 = real value
   lmedge_lgen:      int8 z [1][LMEDGE_LATENT_SIZE] -> int8 landmarks [1][LMEDGE_LANDMARK_COUNT][2], 0..1 */
#ifndef LMEDGE_FACES_H
#define LMEDGE_FACES_H

#ifdef __cplusplus
#define LMEDGE_ALIGNED extern "C" alignas(16)
extern "C" {{
#else
#define LMEDGE_ALIGNED _Alignas(16)
#endif

{defines}

extern const unsigned char lmedge_generator[LMEDGE_GENERATOR_BYTES];
extern const unsigned char lmedge_lgen[LMEDGE_LGEN_BYTES];

/* In the order of the landmarks; point i of a face is point mirror[i] of its mirror image. */
static const char *const lmedge_landmark_names[LMEDGE_LANDMARK_COUNT] = {{
  {names}
}};
static const unsigned char lmedge_landmark_mirror[LMEDGE_LANDMARK_COUNT] = {{{mirror}}};

#ifdef __cplusplus
}}
#endif
#endif
"""
