"""The library's logger: silent unless the caller configures logging (the command line does, in ``cli``)."""

import logging
import re

_USER = re.compile(r"^([a-z][a-z0-9+.-]*://)([^/?#]*)@", re.IGNORECASE)
_SECRET = re.compile(
    r"(?<=[?&;])((?:x-amz-)?(?:password|passwd|sslpassword|token|access_token|security-token|sig|signature|credential|key"
    r"|api_?key|secret))=[^&;]*",
    re.IGNORECASE,
)


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


def redacted(spec: str) -> str:
    """
    Return a URL or connection string without the secrets in it, for messages, logs and reports.

    Parameters
    ----------
    spec : str
        Anything that names an input; a path stays as it is.

    Returns
    -------
    str
        Without the password before the host, and without parameters that are passwords, tokens or signatures.

    Examples
    --------
    >>> redacted("postgresql://anna:s@cret@db/city?table=a&password=x"), redacted("a/b.gpkg")
    ('postgresql://anna@db/city?table=a&password=***', 'a/b.gpkg')
    """
    found = _USER.match(spec)
    if found is None:
        return _SECRET.sub(r"\1=***", spec) if "://" in spec else spec
    user = found[2].partition(":")[0]
    return _SECRET.sub(r"\1=***", f"{found[1]}{user}{'@' if user else ''}{spec[found.end() :]}")
