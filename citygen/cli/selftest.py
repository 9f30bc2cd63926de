"""``citygen selftest``: known control points through this installation, in a table; exit 1 when one lands wrong."""

import click


@click.command("selftest")
def command() -> int:
    """
    Land known control points in ten CRSs, and say how far each is from where PROJ has it.

    Exit codes: 0 every point lands within 1 cm, 1 one does not.
    """
    from citygen.pipeline.placement import GOOD_M, self_test

    found = self_test()
    width = max(len(name) for name, _, _ in found)
    for name, crs, error in found:
        click.echo(f"{name:{width}}  {crs:10}  {1000 * error:6.2f} mm  {'ok' if error < GOOD_M else 'WRONG'}")
    return 0 if all(error < GOOD_M for _, _, error in found) else 1
