"""Settings of the documentation site: `python -m sphinx -W --keep-going docs build/docs`."""

import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Guides run the command `keras-seq` of this environment.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
# A kernel sets FORCE_COLOR. This takes precedence, so that commands print as into a file.
os.environ["TTY_COMPATIBLE"] = "0"
sys.path.insert(0, str(Path(__file__).parent / "extensions"))

import keras_seq

project = "keras-seq"
author = copyright = "The keras-seq contributors"
version = release = keras_seq.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    # Those of this site, in docs/extensions.
    "reference_pages",
    "docstrings",
    "mathml",
    "streams",
]
exclude_patterns = ["extensions"]
html_math_renderer = "mathml"

# The look.
html_theme = "furo"
html_title = f"keras-seq {version}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}
pygments_style = "friendly"
pygments_dark_style = "native"

# Pages. A guide is executed; an error in it ends the build.
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 4
nb_execution_mode = "cache"
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True
nb_output_stderr = "remove"  # TensorFlow's messages about the machine

# Docstrings.
default_role = "py:obj"
add_module_names = False
autodoc_inherit_docstrings = False
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
maximum_signature_line_length = 88
napoleon_custom_sections = [("Call arguments", "params_style")]
napoleon_numpy_docstring = False
napoleon_use_ivar = True

# Names of other libraries have no pages here, and most code in docstrings is not a name.
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(?!keras_seq\.).*"), ("py:.*", r".*[^\w.].*")]
