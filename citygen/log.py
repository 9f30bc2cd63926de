"""The library's logger: silent unless the caller configures logging (the command line does, in ``cli``)."""

import logging
import re
from urllib.parse import unquote

_USER = re.compile(r"^([a-z][a-z0-9+.-]*://)([^/?#]*|[^/?#:@\[]+:(?!\d*(?:[/?#]|$)).*)@", re.IGNORECASE)
_SECRET = re.compile(
    r"(?<=[?&;])((?:x-amz-)?(?:password|passwd|sslpassword|token|access_token|security-token|sig|signature|credential|key"
    r"|api_?key|secret))=[^&;]*",
    re.IGNORECASE,
)

_QUOTED = re.compile(r'"[^"]*"')


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


def without_secrets(text: str, spec: str) -> str:
    """
    Return what someone else says of a URL or connection string, and may quote of it, without its secrets.

    Parameters
    ----------
    text : str
        A message of a library.
    spec : str
        What it speaks of.

    Examples
    --------
    >>> without_secrets('no "]" in "postgresql://anna:s3cret@[::1/city"', "postgresql://anna:s3cret@[::1/city")
    'no "]" in "***"'
    """
    user = _USER.match(spec)
    found = [] if user is None else [user[2].partition(":")[2]]
    found += [each[0].partition("=")[2] for each in _SECRET.finditer(spec)]
    secrets = {word for each in found for word in (each, unquote(each)) if word}

    def hidden(quote: re.Match[str]) -> str:
        word = quote[0][1:-1]
        tells = "@" in word or any(word in secret for secret in secrets)
        return '"***"' if word and secrets and tells else quote[0]

    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return _QUOTED.sub(hidden, text)
