"""The one place that asks for optional packages: a clear error names the extra that brings one."""

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from citygen.errors import MissingExtraError


def has(module: str) -> bool:
    """
    Say whether an optional module can be imported, without importing it.

    Parameters
    ----------
    module : str
        The module's import name.

    Returns
    -------
    bool
        True when it is installed.

    Examples
    --------
    >>> has("no_such_module")
    False
    """
    return find_spec(module) is not None


def need(module: str, extra: str) -> ModuleType:
    """
    Import an optional module or say which extra brings it.

    Parameters
    ----------
    module : str
        The module's import name.
    extra : str
        The extra of citygen that installs it.

    Returns
    -------
    types.ModuleType
        The imported module.

    Raises
    ------
    MissingExtraError
        When the module is not installed.

    Examples
    --------
    >>> need("json", "none").__name__
    'json'
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"{module} is not installed; run: pip install 'citygen[{extra}]'") from error
