"""`python -m stillwatch.cli` is `stillwatch`."""

from stillwatch.cli.app import main

main()
