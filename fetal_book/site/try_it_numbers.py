"""Write what the page in the browser knows as numbers: limits, ranges, growth formulas.

Nothing is typed twice. Ranges and limits are read from the library; the growth formulas are
translated from the Python that computes them, by its syntax tree.
"""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from dataclasses import asdict
from types import ModuleType
from typing import Any

from fetal_lib.growth import hadlock, intergrowth_age, intergrowth_tables
from fetal_lib.predict import biometry_measure, head_gate, head_measure
from fetal_lib.predict.biometry_maps import EVEN
from fetal_lib.predict.biometry_model import BiometrySpec
from fetal_lib.predict.pixel_sizes import PIXEL_SIZE_RANGE_MM
from fetal_lib.predict.plane import MIRRORS, PLANES, PlaneSpec

OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}
FUNCTIONS = {"ln": "Math.log", "log": "Math.log", "exp": "Math.exp"}


def javascript(node: ast.expr) -> str:
    """Translate an arithmetic expression into JavaScript, with every operation in brackets.

    Examples
    --------
    >>> javascript(ast.parse("-2.5 + 1.5 * g**2 * ln(g)", mode="eval").body)
    '((-2.5) + ((1.5 * (g ** 2)) * Math.log(g)))'
    """
    match node:
        case ast.Constant(value=int() | float() as value):
            return repr(value)
        case ast.Name(id=name):
            return name
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return f"(-{javascript(operand)})"
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            return f"({javascript(left)} {OPERATORS[type(op)]} {javascript(right)})"
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=[argument]):
            if name in FUNCTIONS:
                return f"{FUNCTIONS[name]}({javascript(argument)})"
    raise ValueError(f"{ast.unparse(node)}: this formula has no translation into JavaScript.")


def standard_lambdas(module: ModuleType, measure: str) -> list[ast.Lambda]:
    """Find the lambdas of a measure's standard, mean then sd, in the text of its table."""
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if not isinstance(node, ast.Dict):
            continue
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and key.value == measure:
                return [part for part in value.args if isinstance(part, ast.Lambda)]
    raise ValueError(f"{module.__name__} has no standard {measure!r}.")


def returned_formula(function: Any) -> ast.expr:
    """Return the expression inside ``return returned(...)`` of a growth function."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    for node in ast.walk(tree):
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Call):
            return node.value.args[0]
    raise ValueError(f"{function.__name__} returns no formula.")


def formulas() -> dict[str, str]:
    """Return the growth formulas as JavaScript functions of one number."""
    mean, sd = standard_lambdas(intergrowth_tables, "HC")
    age = javascript(returned_formula(intergrowth_age.ga_days_from_hc))
    return {
        "hcMean": f"(g) => {javascript(mean.body)}",
        "hcSd": f"(g) => {javascript(sd.body)}",
        "gaDaysFromHc": f"(hc) => {age}",
    }


def numbers(spec: BiometrySpec, planes: PlaneSpec, download_mb: float) -> dict[str, Any]:
    """Return the limits and ranges that the page keeps to."""
    standard = intergrowth_tables.MEASURES["HC"]
    half = spec.relative_half_width
    return {
        "download_mb": round(download_mb, 1),
        "model": asdict(spec)
        | {"relative_half_width": half if half < float("inf") else None}
        | {"floor_mm": biometry_measure.FLOOR_MM["hc_mm"], "even": EVEN},
        "planes": asdict(planes)
        | {"names": PLANES, "no_head": head_gate.NO_HEAD, "mirrors": MIRRORS},
        "limits": {
            "pixel_size_mm": PIXEL_SIZE_RANGE_MM,
            "hc_mm": head_measure.HC_RANGE_MM,
            "min_area_share": head_measure.MIN_AREA_SHARE,
            "min_agreement": head_measure.MIN_AGREEMENT,
            "min_axis_ratio": head_measure.MIN_AXIS_RATIO,
            "max_cut_share": head_measure.MAX_CUT_SHARE,
        },
        "intergrowth": {
            "hc_mm": standard.size_mm,
            "ga_weeks": standard.ga_weeks,
            "hc_mm_for_age": intergrowth_age.HC_MM_RANGE,
        },
        "hadlock": {
            "hc_mm_range": hadlock.SIZE_MM_RANGE["HC"],
            "age_coefficients": hadlock.AGE_COEFFICIENTS["HC"],
        },
    }


def numbers_module(spec: BiometrySpec, planes: PlaneSpec, download_mb: float) -> str:
    """Write both as a JavaScript module."""
    body = ",\n".join(f"  {name}: {text}" for name, text in formulas().items())
    shown = json.dumps(numbers(spec, planes, download_mb), indent=2)
    return f"export const NUMBERS = {shown};\n\nexport const FORMULAS = {{\n{body},\n}};\n"
