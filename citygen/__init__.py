"""
citygen: building footprints and a DEM in, a georeferenced 3D city out.

``citygen.build(footprints, dem="dem.tif")`` is the whole of it in a notebook; ``citygen build`` on a command line.
Names are loaded when first used: ``import citygen`` costs next to nothing.
"""

from typing import TYPE_CHECKING

from citygen.version import __version__

if TYPE_CHECKING:
    from citygen.api import City, build, inspect, open_city

_LAZY = dict.fromkeys(("City", "build", "inspect", "open_city"), "citygen.api")
__all__ = ["City", "__version__", "build", "inspect", "open_city"]


def __getattr__(name: str) -> object:
    """Load a public name on first use (PEP 562)."""
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'citygen' has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
