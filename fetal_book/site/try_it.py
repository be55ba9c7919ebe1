"""Make the page that measures fetal biometry in the reader's browser.

Browsers refuse modules and ``fetch`` to a page that was opened from a disk. So the modules in
``book/try_it`` become one classic script, and the network, its runtime and the samples are text
inside scripts that the page loads when they are needed.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import shutil
from pathlib import Path

from fetal_book.parameters.project_files import code_root, listed
from fetal_book.site.try_it_numbers import numbers_module
from fetal_book.site.try_it_runtime import Runtime, get_runtime
from fetal_book.site.try_it_samples import Sample, sample_button, write_sample
from fetal_lib.errors import UserError
from fetal_lib.files.atomic import write_text
from fetal_lib.predict.onnx_network import FILE

IMPORT = re.compile(r'^import \{[^}]*\} from "\./(\w+\.js)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=async function|function|const)", re.MULTILINE)
DEFINED = re.compile(r"^(?:async function|function|const|let) (\w+)", re.MULTILINE)
LAZY = ("runtime", "model", "planes")
"""Scripts that are loaded with the first image."""
PARTS = "globalThis.TRY_IT_PARTS"


def sources(root: Path) -> list[str]:
    """List what the page depends on, relative to the root."""
    code = code_root(root)
    library = code / "fetal_lib"
    shipped = ("biometry", "plane_recogniser")
    found = [
        *(root / "book" / "try_it").glob("*"),
        *(code / "fetal_book" / "site").glob("try_it*"),
        *(library / "growth").glob("*.py"),
        *(library / "predict").glob("biometry*.py"),
        *(library / "predict" / f"{name}.py" for name in ("head_measure", "plane")),
        *(library / "geometry").glob("*.py"),
        *(
            library / "pretrained" / model / name
            for model in shipped
            for name in ("model.json", FILE)
        ),
    ]
    return listed(found, root)


def write_try_it(root: Path) -> str:
    """Write ``try_it.md`` and the files that it loads; return what is missing, empty if nothing."""
    generated = root / "book" / "generated"
    folder = generated / "static" / "try_it"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        page = write_files(root / "book" / "try_it", folder)
    except UserError as error:
        shutil.rmtree(folder)
        write_text(generated / "try_it.md", missing_page(str(error)))
        return str(error)
    write_text(generated / "try_it.md", f"```{{raw}} html\n{page}```\n")
    return ""


def write_files(modules: Path, folder: Path) -> str:
    """Write all that the page loads into an empty folder; return the page's HTML."""
    from fetal_book.site.try_it_samples import draw_samples
    from fetal_lib.predict.biometry_model import BiometryModel
    from fetal_lib.predict.plane import PlaneRecogniser

    runtime = get_runtime()
    model, planes = BiometryModel.load(), PlaneRecogniser.load()
    (folder / "runtime.js").write_text(runtime_script(runtime), encoding="utf-8")
    networks = {"model": model.network.content, "planes": planes.network.content}
    for name, content in networks.items():
        text = f'{PARTS}.{name} = "{packed_text(content)}";\n'
        (folder / f"{name}.js").write_text(text, encoding="utf-8")
    lazy_mb = sum((folder / f"{name}.js").stat().st_size for name in LAZY) / 1e6
    texts = {path.name: path.read_text(encoding="utf-8") for path in modules.glob("*.js")}
    texts["numbers.js"] = numbers_module(model.spec, planes.spec, lazy_mb)
    (folder / "try_it.js").write_text(bundle(texts), encoding="utf-8")
    styles = [path.read_text(encoding="utf-8") for path in sorted(modules.glob("*.css"))]
    (folder / "try_it.css").write_text("\n".join(styles), encoding="utf-8")
    samples: list[Sample] = draw_samples()
    for sample in samples:
        write_sample(sample, folder)
    page = (modules / "page.html").read_text(encoding="utf-8")
    page = page.replace("@LICENCE@", model.spec.licence)
    page = page.replace("@RUNTIME@", f"{runtime.name}, {runtime.licence} licence")
    return page.replace("@SAMPLES@", "".join(map(sample_button, samples)))


def bundle(texts: dict[str, str], entry: str = "app.js") -> str:
    """Join modules into one classic script, each after those that it imports.

    Examples
    --------
    >>> a = 'import { b } from "./b.js";\\nb();\\n'
    >>> print(bundle({"app.js": a, "b.js": "export function b() {}\\n"}))
    (() => {
    "use strict";
    function b() {}
    b();
    })();
    """
    order: list[str] = []

    def visit(name: str) -> None:
        if name not in texts:
            raise ValueError(f"{name} is imported and is not there; write it in book/try_it.")
        for needed in IMPORT.findall(texts[name]):
            if needed not in order:
                visit(needed)
        if name not in order:
            order.append(name)

    visit(entry)
    bodies = [EXPORT.sub("", IMPORT.sub("", texts[name])).strip() for name in order]
    defined = [name for body in bodies for name in DEFINED.findall(body)]
    twice = sorted({name for name in defined if defined.count(name) > 1})
    if twice:
        raise ValueError(f"{', '.join(twice)}: defined in two modules; rename one of each.")
    return "\n".join(['(() => {\n"use strict";', *bodies, "})();"]) + "\n"


def packed_text(content: bytes) -> str:
    """Return bytes as gzip in base64, the same at every call."""
    return base64.b64encode(gzip.compress(content, 9, mtime=0)).decode("ascii")


def runtime_script(runtime: Runtime) -> str:
    """Return the script that defines ``ort`` and hands the page its WebAssembly."""
    glue = json.dumps(runtime.glue).replace("</", "<\\/")
    wasm = packed_text(runtime.wasm)
    return f'{runtime.script}\n{PARTS}.glue = {glue};\n{PARTS}.wasm = "{wasm}";\n'


def missing_page(reason: str) -> str:
    """Write what the page says where it could not be made."""
    return (
        f":::{{important}}\nThe measurement is not part of this copy of the book: {reason} Then "
        "run `fetal-lib book try-it` and `make book`. Until then "
        "[the command line](howto/predict.md) measures the same.\n:::\n"
    )
