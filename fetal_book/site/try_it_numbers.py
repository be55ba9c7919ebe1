"""Write what the page in the browser knows as numbers: limits, ranges, growth formulas.

Nothing is typed twice. Ranges and limits are read from the library; the growth formulas are
translated from the Python that computes them, by its syntax tree.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import textwrap
from dataclasses import asdict
from types import ModuleType
from typing import Any

from fetal_lib.geometry import callipers
from fetal_lib.geometry.biometry import SIZES
from fetal_lib.growth import (
    bpd_convention,
    hadlock,
    intergrowth_age,
    intergrowth_tables,
    intergrowth_weight,
)
from fetal_lib.predict import biometry_measure, head_measure
from fetal_lib.predict.biometry import NO_PLANE
from fetal_lib.predict.biometry_maps import END_SPREAD, EVEN
from fetal_lib.predict.biometry_model import BiometrySpec
from fetal_lib.predict.pixel_sizes import PIXEL_SIZE_RANGE_MM
from fetal_lib.predict.plane import MIRRORS, PLANES, PlaneSpec

OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}
MEASURES = ("HC", "AC", "FL", "BPD", "OFD")
"""Sizes with a standard of INTERGROWTH-21st."""
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


def weight_formulas() -> dict[str, str]:
    """Return the weights as logarithms: Hadlock of cm, to base 10; INTERGROWTH-21st of m, to e."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(hadlock._log10_weight)))
    known = {
        node.targets[0].id: javascript(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
    }
    returned = [node.value for node in ast.walk(tree) if isinstance(node, ast.Return)]
    ordered = sorted(returned, key=lambda value: value.lineno)
    bodies = [javascript(value) for value in ordered]
    for name, value in known.items():
        bodies = [re.sub(rf"\b{name}\b", value, body) for body in bodies]
    found = {
        formula: f"({{ AC, FL, BPD, HC }}) => {body}"
        for formula, body in zip(hadlock.EFW_NEEDS, bodies, strict=True)
    }
    tree = ast.parse(textwrap.dedent(inspect.getsource(intergrowth_weight.efw_g)))
    (log_weight,) = (node.value for node in ast.walk(tree) if _assigns(node, "log_weight"))
    return found | {"intergrowth": f"({{ a, h }}) => {javascript(log_weight)}"}


def _assigns(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name


def formulas() -> dict[str, str]:
    """Return the growth formulas as JavaScript functions."""
    found = {}
    for measure in MEASURES:
        mean, sd = standard_lambdas(intergrowth_tables, measure)
        found[f"mean{measure}"] = f"(g) => {javascript(mean.body)}"
        found[f"sd{measure}"] = f"(g) => {javascript(sd.body)}"
    age = javascript(returned_formula(intergrowth_age.ga_days_from_hc))
    weights = {f"log{name}": text for name, text in weight_formulas().items()}
    return found | {"gaDaysFromHc": f"(hc) => {age}"} | weights


def numbers(spec: BiometrySpec, planes: PlaneSpec, download_mb: float) -> dict[str, Any]:
    """Return the limits and ranges that the page keeps to."""
    standards = {name: intergrowth_tables.MEASURES[name] for name in MEASURES}
    return {
        "download_mb": round(download_mb, 1),
        "model": asdict(spec) | {"floor_mm": biometry_measure.FLOOR_MM, "even": EVEN},
        "planes": asdict(planes) | {"names": PLANES, "none": NO_PLANE, "mirrors": MIRRORS},
        "sizes": SIZES,
        "limits": {
            "pixel_size_mm": PIXEL_SIZE_RANGE_MM,
            "size_mm": biometry_measure.RANGE_MM,
            "min_area_share": biometry_measure.MIN_AREA_SHARE,
            "min_sure": biometry_measure.MIN_SURE,
            "min_agreement": head_measure.MIN_AGREEMENT,
            "min_axis_ratio": head_measure.MIN_AXIS_RATIO,
            "max_cut_share": head_measure.MAX_CUT_SHARE,
            "min_elongation": callipers.MIN_ELONGATION,
            "beyond": biometry_measure.BEYOND,
            "aside": biometry_measure.ASIDE,
            "end_spread": END_SPREAD,
            "min_bell": biometry_measure.MIN_BELL,
        },
        "intergrowth": {
            "size_mm": {name: standard.size_mm for name, standard in standards.items()},
            "ga_weeks": standards["HC"].ga_weeks,
            "hc_mm_for_age": intergrowth_age.HC_MM_RANGE,
        },
        "hadlock": {
            "size_mm": hadlock.SIZE_MM_RANGE,
            "age_coefficients": hadlock.AGE_COEFFICIENTS,
            "efw_needs": hadlock.EFW_NEEDS,
            "efw_mm": hadlock.EFW_MM_RANGE,
        },
        "outer_inner": {
            "mm": bpd_convention.OUTER_OUTER_MM_RANGE,
            "intercept": bpd_convention.INTERCEPT_MM,
            "slope": bpd_convention.SLOPE,
        },
    }


def numbers_module(spec: BiometrySpec, planes: PlaneSpec, download_mb: float) -> str:
    """Write both as a JavaScript module."""
    body = ",\n".join(f"  {name}: {text}" for name, text in formulas().items())
    shown = json.dumps(numbers(spec, planes, download_mb), indent=2)
    return f"export const NUMBERS = {shown};\n\nexport const FORMULAS = {{\n{body},\n}};\n"
