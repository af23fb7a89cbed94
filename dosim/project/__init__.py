"""A Python Worker's project folder: its configuration as data, and its modules in isolates of their own."""

from dosim.project.config import DurableObjectBinding, ProjectConfig, read_config
from dosim.project.errors import ProjectError, UnsupportedBinding
from dosim.project.isolate import Isolate, brings
from dosim.project.python_version import needs_newer, platform_python, required_python

__all__ = [
    "DurableObjectBinding",
    "Isolate",
    "ProjectConfig",
    "ProjectError",
    "UnsupportedBinding",
    "brings",
    "needs_newer",
    "platform_python",
    "read_config",
    "required_python",
]
