"""Which options of a verb are read, told from the source of the files that the verb imports: a read counts on a name
that is annotated as the class of the options, or comes from such a name."""

import ast
import dataclasses
import inspect
import sys
import textwrap
from functools import cache
from pathlib import Path

from lmedge.options import Stage

ROOT = Path(__file__).resolve().parents[1]
COPIES = ("replace", "resolve", "filled")  # functions that give options of the same class back


def unread(kind, *modules):
    """Options of `kind` that no file reads which `modules` import, themselves or through others."""
    owners = [owner for owner in kind.__mro__ if issubclass(owner, Stage) and owner is not Stage]
    names = {owner.__name__ for owner in owners}
    read = set().union(*(_reads(tree, names) for tree in _trees(modules)))
    methods = {}
    for owner in owners:
        for part in ast.parse(textwrap.dedent(inspect.getsource(owner))).body[0].body:
            if isinstance(part, ast.FunctionDef) and part.name != "__post_init__":  # a check is no use
                methods.setdefault(part.name, _attributes(part, {"self"}))
    while more := set().union(*(methods[name] for name in read & methods.keys())) - read:
        read |= more
    own = {field.name for field in dataclasses.fields(kind)} - {field.name for field in dataclasses.fields(Stage)}
    return sorted(own - read)


def _trees(modules):
    """Of modules and of those of lmedge that they import, wherever in them."""
    waiting, seen = [Path(sys.modules[module].__file__) for module in modules], set()
    while waiting:
        file = waiting.pop()
        if file in seen:
            continue
        seen.add(file)
        yield _tree(file)
        waiting += _imported(file)


@cache
def _tree(file):
    return ast.parse(file.read_text(encoding="utf-8"))


@cache
def _imported(file):
    named = []
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.Import):
            named += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            named += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Constant) and str(node.value).startswith(("lmedge.", "convert.")):
            named.append(node.value)  # of a package that imports when it is asked
    places = [ROOT / name.replace(".", "/") for name in named if name and name.split(".")[0] in ("lmedge", "convert")]
    return [file for place in places for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()]


def _reads(tree, kinds):
    """Attributes that are read of names which are annotated as one of `kinds`, or as a variable bound to one."""
    kinds = kinds | {node.targets[0].id for node in tree.body
                     if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
                     for said in node.value.keywords if said.arg == "bound" and _name(said.value) in kinds}  # fmt: skip
    # What all of a module knows.
    read = _attributes(tree, {ast.unparse(part.target) for part in tree.body
                              if isinstance(part, ast.AnnAssign) and _says(part, kinds)})  # fmt: skip
    for scope in ast.walk(tree):
        if isinstance(scope, ast.ClassDef):
            kept = {part.target.id for part in scope.body if isinstance(part, ast.AnnAssign) and _says(part, kinds)}
            for function in (part for part in scope.body if isinstance(part, ast.FunctionDef)):
                tracked = _tracked(function, kinds)
                kept |= {target.attr for node in ast.walk(function) if isinstance(node, ast.Assign)
                         for target, value in _pairs(node)
                         if isinstance(target, ast.Attribute) and _name(value) in tracked}  # fmt: skip
            read |= _attributes(scope, {f"self.{name}" for name in kept})
        elif isinstance(scope, ast.FunctionDef):
            read |= _attributes(scope, _tracked(scope, kinds))
    return read


def _tracked(function, kinds):
    """Names in a function that hold such options."""
    arguments = function.args
    tracked = {a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs) if _says(a, kinds)}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and tracked:
            for target, value in _pairs(node):
                source = value
                if isinstance(value, ast.Call) and _name(value.func).split(".")[-1] in COPIES and value.args:
                    source = value.args[0]
                if isinstance(target, ast.Name) and _name(source) in tracked:
                    tracked.add(target.id)
    return tracked


def _pairs(node):
    """(target, value) of an assignment, of each in a tuple."""
    for target in node.targets:
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            yield from zip(target.elts, node.value.elts, strict=False)
        else:
            yield target, node.value


def _says(node, kinds):
    return node.annotation is not None and ast.unparse(node.annotation).strip("'\"") in kinds


def _name(node):
    return ast.unparse(node) if isinstance(node, ast.Name | ast.Attribute) else ""


def _attributes(scope, names):
    """What is read of these names."""
    reads = (node for node in ast.walk(scope) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load))
    return {node.attr for node in reads if _name(node.value) in names}
