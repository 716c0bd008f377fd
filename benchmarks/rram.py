"""The HfO2 table against reference counts: the figures of the claim `hfo2_table`."""

from devicephys.validation import Figure, hfo2_table


def run() -> list[Figure]:
    """Count the table and compare it voltage by voltage."""
    figures: list[Figure] = hfo2_table.run()
    return figures
