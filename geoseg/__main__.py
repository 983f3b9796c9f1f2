"""``python -m geoseg``: the command line, where the script is not on the path."""

from geoseg.cli.main import main

main()
