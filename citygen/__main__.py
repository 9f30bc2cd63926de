"""``python -m citygen``: the command line."""

from citygen.cli import main

if __name__ == "__main__":
    main()
