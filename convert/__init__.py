"""Keras -> TFLite: one model that draws the face and says where the landmarks are, and the bundle around it.

from convert import export
from lmedge.scheme import IBUG49

bundle = export(generator, lgen, ("fp32", "int8"), scheme=IBUG49, out="bundle")
"""

from typing import TYPE_CHECKING

from lmedge.lazy import lazily

if TYPE_CHECKING:
    from convert.bundle import export
    from convert.gates import Limits
    from convert.recipe import RECIPES, Rewrites, Tuning

__all__ = ["RECIPES", "Limits", "Rewrites", "Tuning", "export"]
__getattr__ = lazily(__name__, {
    "export": "convert.bundle", "Limits": "convert.gates", "RECIPES": "convert.recipe", "Rewrites": "convert.recipe",
    "Tuning": "convert.recipe",
})  # fmt: skip
