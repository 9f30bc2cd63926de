"""The library's logger: silent unless the caller configures logging (the command line does, in ``cli``)."""

import logging


def get_logger(name: str) -> logging.Logger:
    """
    Return the logger of a module, with a null handler on the root of the package.

    Parameters
    ----------
    name : str
        The module's ``__name__``.

    Returns
    -------
    logging.Logger
        A standard logger below ``citygen``.

    Examples
    --------
    >>> get_logger("citygen.ground.dem").name
    'citygen.ground.dem'
    """
    root = logging.getLogger("citygen")
    if not root.handlers:
        root.addHandler(logging.NullHandler())
    return logging.getLogger(name)
