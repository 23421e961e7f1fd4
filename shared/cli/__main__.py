"""`python -m shared.cli`: the same as `prelabel`."""

from shared.cli import main

main()
