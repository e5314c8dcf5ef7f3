"""`python -m freezetag` is `freezetag`."""

from freezetag.cli import main

main()
