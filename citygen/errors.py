"""
Every error that citygen raises on purpose, one class a reaction of the caller.

::

    CitygenError
    ├── ConfigError        an option is wrong or missing        -> mend the call          (exit 2)
    ├── InputError         a file cannot be used                -> mend or replace it     (exit 2)
    │   ├── MissingCRSError    it does not say where it lies    -> give its CRS
    │   └── CoverageError      it does not meet the AOI         -> check AOI, CRS, axes
    ├── OutputError        the output folder cannot be used     -> other folder, flag     (exit 2)
    ├── MissingExtraError  an optional package is not installed -> install the extra      (exit 2)
    └── BuildError         the run itself failed                -> read the log, resume   (exit 1)
"""


class CitygenError(Exception):
    """Base of all. The message says what happened, to what (file, feature id), and what to do."""

    exit_code = 1


class ConfigError(CitygenError):
    """An option or a combination of options is wrong; the message names it and the valid values."""

    exit_code = 2


class InputError(CitygenError):
    """An input file cannot be read or used; the message names it, the place in it and the remedy."""

    exit_code = 2


class MissingCRSError(InputError):
    """An input does not say its coordinate reference system; the message names the option that gives it."""


class CoverageError(InputError):
    """An input does not cover or touch the area of interest; the message shows both extents."""


class OutputError(CitygenError):
    """The output folder cannot be used (it holds something else, is not writable, the disk is full)."""

    exit_code = 2


class MissingExtraError(CitygenError):
    """An optional dependency is not installed; the message names the extra that brings it."""

    exit_code = 2


class BuildError(CitygenError):
    """The run failed for a reason that is neither its options nor its inputs."""
