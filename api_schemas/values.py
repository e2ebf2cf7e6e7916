"""How hyperparameter values are written: the same string on a trial's command line and in its resource."""


def format_value(value: int | float | str) -> str:
    """Write a value as docs/contract.md 4.3 has it.

    An int is a plain decimal; a float takes 15 significant digits where those read back as the same double,
    else 17; a string is itself. So 512.0 becomes `512`, and 0.00001 becomes `1e-05`.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(value)
    short = f"{value:.15g}"
    return short if float(short) == value else f"{value:.17g}"
