"""`python -m waypost` is `waypost`."""

from waypost import main

main()
