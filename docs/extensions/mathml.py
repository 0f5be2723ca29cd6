"""Sphinx extension that renders formulas as MathML, which needs neither scripts nor fonts."""

from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)


def visit_inline(translator: Any, node: nodes.math) -> None:
    """Write a formula within a line."""
    translator.body.append(render(node, node.astext(), as_block=False))
    raise nodes.SkipNode


def visit_block(translator: Any, node: nodes.math_block) -> None:
    """Write a formula on lines of its own. Lines end with a double backslash."""
    formula = node.astext().strip()
    if r"\\" in formula and r"\begin" not in formula:
        formula = rf"\begin{{aligned}}{formula}\end{{aligned}}"
    translator.body.append(f'<div class="math">{render(node, formula, as_block=True)}</div>\n')
    raise nodes.SkipNode


def render(node: nodes.Element, formula: str, as_block: bool) -> str:
    """Return a formula as MathML. Warn of one that docutils cannot read, and return nothing."""
    try:
        return tex2mathml(formula, as_block=as_block)
    except MathError as error:
        logger.warning("%s In the formula: %s", error, formula, location=node)
        return ""


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the renderer "mathml"."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
