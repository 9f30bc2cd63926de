"""One row of a finished build to why it is as it is; entry: ``explain.explain_row``. Nothing but a picture is ever written."""
