"""How Sphinx builds the book. Nothing here, and no page, asks the network for anything.

Sources are Markdown (MyST) and the notebooks of `notebooks/`; every program in them is executed while building. Tables
are written from dosim's own data into `_generated/`. What pages need beside their text comes from `vendor.py`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pygments.lexers.special import TextLexer

BOOK = Path(__file__).resolve().parent
ROOT = BOOK.parent
sys.path.insert(0, str(ROOT))

from book._ext import building  # noqa: E402 (found through the line above)

project = author = html_title = "dosim"
copyright = "dosim contributors, MIT licence"  # noqa: A001 (Sphinx's word)
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx_design",
    "sphinx_copybutton",
    "book._ext.docstrings",
    "book._ext.recorded",
]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb"}
exclude_patterns = ["_build", "_static", "_generated", "node_modules", "**.ipynb_checkpoints"]
html_theme = "sphinx_book_theme"
html_theme_options = {"home_page_in_toc": True, "show_toc_level": 2}
html_context = {"default_mode": "auto"}
html_static_path = ["_static"]
html_css_files = ["dosim.css"]
html_favicon = "_static/favicon.svg"
html_show_sourcelink = False
html_copy_source = False
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "deflist"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_maximum_signature_line_length = 90
# A copied cell is the program alone, without prompts.
copybutton_prompt_text = r">>> |\$ "
copybutton_prompt_is_regexp = True

# -- programs

nb_execution_mode = "cache"
nb_execution_raise_on_error = True
nb_execution_timeout = 180
nb_merge_streams = True
# The cache knows the text of a page, not the code that it runs: another dosim gets another cache.
digest = building.digest()
nb_execution_cache_path = str(building.cache_folder(digest))

# -- what comes with the pages; without it they are text

vendored = (BOOK / "_static" / "vendor" / "stamp.txt").is_file()
mathjax_path = "vendor/mathjax/tex-mml-chtml.js" if vendored else "without-npm.js"
mathjax3_config = {"options": {"enableMenu": False}}
html_js_files = (
    [
        ("vendor/mermaid.min.js", {"priority": 400, "defer": "defer"}),
        ("offline.js", {"priority": 410, "defer": "defer"}),
        ("live.js", {"priority": 420, "defer": "defer"}),
    ]
    if vendored
    else [("without-npm.js", {"defer": "defer"})]
)
nb_ipywidgets_js = (
    {
        "vendor/require.js": {},
        "require-paths.js": {},
        "vendor/@jupyter-widgets/html-manager/dist/embed-amd.js": {},
    }
    if vendored
    else {}
)
copybutton_selector = "div.highlight:not(.dosim-live div.highlight) pre"


def setup(app):
    app.add_lexer("mermaid", TextLexer)
    # Another dosim makes every page anew, since its programs may print something else.
    app.add_config_value("dosim_digest", digest, "env")
    building.take_notebooks()
    building.write_tables(digest)
