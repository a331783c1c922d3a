"""The documentation: it is built without a warning, leads nowhere wrong, and says what the program does."""

import ast
import contextlib
import dataclasses
import importlib
import importlib.util
import io
import json
import os
import re
import shlex
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import get_type_hints
from urllib.parse import unquote, urlsplit

import pytest
from tyro.conf import Positional

import lmedge
from lmedge.command_line import parse
from lmedge.options import Stage
from lmedge.scheme import IBUG49
from lmedge.verbs import VERBS

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), ROOT / "android_demo" / "README.md"])
SURROUNDINGS = {
    **os.environ,
    "NO_MKDOCS_2_WARNING": "1",
    "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
}


class Page(HTMLParser):
    """What a built page has and asks for: anchors, links, what is loaded, and its text by the anchor before it."""

    def __init__(self, path):
        super().__init__()
        self.anchors, self.links, self.loaded, self.text = set(), [], [], {"": ""}
        self._heading = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.anchors |= {given[name] for name in ("id", "name") if given.get(name)}
        if tag == "h2":
            self._heading = given["id"]
            self.text[self._heading] = ""
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        if tag in ("img", "script", "link") and given.get("rel") != "canonical":
            self.loaded += [given[name] for name in ("src", "href") if given.get(name)]

    def handle_data(self, data):
        self.text[self._heading] += data


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built pages by path."""
    if not importlib.util.find_spec("mkdocs"):
        pytest.skip("mkdocs is not installed; scripts/test installs it")
    out = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "mkdocs", "build", "--site-dir", out]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120, env=SURROUNDINGS)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith("INFO ")]
    assert (done.returncode, lines) == (0, [])  # strict: a warning is an error
    return {path.relative_to(out).as_posix(): Page(path) for path in out.rglob("*.html")} | {"": out}


def test_every_link_anchor_and_picture_is_there(site):
    out, pages = site[""], {name: page for name, page in site.items() if name and name != "404.html"}
    missing = []
    for name, page in pages.items():
        for target in {*page.links, *page.loaded}:
            parts = urlsplit(target)
            if parts.scheme in ("http", "https"):
                continue
            path = (out / name).parent / unquote(parts.path) if parts.path else out / name
            there = os.path.relpath(path, out)
            known = pages[there].anchors if there in pages else ()
            if not path.is_file() or (parts.fragment and there in pages and unquote(parts.fragment) not in known):
                missing.append(f"{name}: {target}")
    assert missing == [] and len(pages) > 20


def test_a_page_loads_nothing_from_elsewhere(site):
    loaded = [(name, target) for name, page in site.items() if name for target in page.loaded]
    assert [pair for pair in loaded if urlsplit(pair[1]).netloc] == [] and loaded


def test_every_verb_and_option_is_on_the_page_of_the_command_line(site):
    page = site["reference/command-line.html"]
    for verb, kind in ((name, kind) for name in VERBS for kind in VERBS[name].kinds().values()):
        assert f"lmedge {verb} [OPTIONS]" in page.text[verb]
        hints = get_type_hints(kind, include_extras=True)
        for field in {field.name for field in dataclasses.fields(kind)} - {f.name for f in dataclasses.fields(Stage)}:
            positional = Positional in getattr(hints[field], "__metadata__", ())
            assert positional or re.search(rf"--{field.replace('_', '-')}\b", page.text[verb]), (verb, field)
    assert "(default: 64)" in page.text["prepare"] and "PHOTOS... Photos, or folders" in squeezed(page.text["prepare"])
    assert "--crop {haar, landmarks, none}" in squeezed(page.text["prepare"])


def test_options_that_families_share_stand_on_the_page_once(second_family, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    page = importlib.import_module("docs_command_line").command_line(VERBS.values())
    verb = page.split("\n## train-gan\n")[1].split("\n## ")[0]
    shared, *parts = re.split(r"^### train-gan --family ", verb, flags=re.MULTILINE)
    families = dict(part.split("\n", 1) for part in parts)
    assert list(families) == [words[1] for words in VERBS["train-gan"].kinds()]
    second = families["second"]
    rows = [re.findall(r"^\| `--([a-z-]+)", part, re.MULTILINE) for part in (shared, families["began"], second)]
    assert {"family", "kimg", "seed", "batch"} <= set(rows[0]) and {"gamma", "patience"} <= set(rows[1])
    assert rows[2] == ["batch", "slope", "forgotten"]  # of its batch it says more
    assert {name for name in rows[0] if name in rows[1]} == {"learning-rate", "width"}
    assert "(default: `relativistic`)" in shared and "(default: `0.2`)" in second and "a second kind." in second
    assert "``" not in page.replace("```", "") and "`--family FAMILY --help` shows" in shared
    assert verb.count("Continues by itself") == verb.count("lmedge train-gan faces --run") == 1


def squeezed(text):
    return " ".join(text.split())


def test_what_the_page_says_of_an_option_is_what_the_help_says(site, lmedge_here):
    page = squeezed(site["reference/command-line.html"].text["synthesize"])
    said = lmedge_here("synthesize", "--help").stdout.split("--out PATH")[1].split("--dry-run")[0]
    words = re.findall(r"[\w.]+", said)
    assert len(words) > 100 and [word for word in words if word not in page] == []


@pytest.mark.parametrize("page", PAGES, ids=[path.relative_to(ROOT).as_posix() for path in PAGES])
def test_links_of_the_source_lead_somewhere(page):
    """Many read the pages where the source is shown, without the site."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    built = {"reference/command-line.md", *taken_in()}
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not target.startswith(("http", "#", "mailto")):
            path = (page.parent / target.split("#")[0]).resolve()
            assert path.is_file() or path.relative_to(DOCS).as_posix() in built, target


def taken_in():
    """The pages that scripts/docs_hooks.py makes; read, as MkDocs is not installed everywhere."""
    hooks = (ROOT / "scripts" / "docs_hooks.py").read_text(encoding="utf-8")
    return ast.literal_eval(re.search(r"^TAKEN_IN = (\{.*?^\})", hooks, re.DOTALL | re.MULTILINE)[1])


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 180


def test_the_version_is_that_of_the_package():
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert lmedge.__version__ in re.findall(r"^## ([\d.]+)", changes, re.MULTILINE)
    wheels = {name for page in PAGES for name in re.findall(r"lmedge-([\d.]+)-py3", page.read_text(encoding="utf-8"))}
    assert wheels == {lmedge.__version__}


@pytest.mark.parametrize("page", PAGES, ids=[path.relative_to(ROOT).as_posix() for path in PAGES])
def test_what_python_on_a_page_imports_is_there(page):
    for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom):
                module = importlib.import_module(node.module)
                assert all(hasattr(module, name.name) for name in node.names), ast.unparse(node)


def test_lines_of_lmedge_on_every_page_are_understood(tmp_path, monkeypatch):
    """Each is parsed as the command line does, and none is run. A scheme that is named is read then."""
    monkeypatch.chdir(tmp_path)
    for name in ("mine", "cheeks"):
        (tmp_path / f"{name}.json").write_text(json.dumps(IBUG49.to_json() | {"name": name}))
    read = 0
    for page in PAGES:
        for block in re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            for line in re.findall(r"^(?:\S*/)?(lmedge [^#\n&]+)", block, re.MULTILINE):
                _, verb, *words = shlex.split(line)
                with contextlib.redirect_stderr(io.StringIO()) as said:
                    try:
                        parse(VERBS[verb].kind(words), verb, words)
                    except SystemExit:
                        pytest.fail(f"{page.name}: {line}: {said.getvalue()}")
                read += 1
    assert read > 30


def test_hosted_ci_and_hooks_run_what_is_there():
    yaml = pytest.importorskip("yaml")
    jobs = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text())["jobs"]
    commands = [step["run"].split()[0] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert commands == ["scripts/test", ".ci/run", "scripts/docs"]
    assert all(os.access(ROOT / command, os.X_OK) for command in commands)
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    tested = (ROOT / "scripts/test").read_text().replace('"$venv/bin/', '"').replace('"', "")
    assert all(hook["entry"].removeprefix(".venv/bin/") in tested for hook in repository["hooks"])
    for form in ("fault", "idea"):
        assert yaml.safe_load((ROOT / f".github/ISSUE_TEMPLATE/{form}.yml").read_text())["body"]
