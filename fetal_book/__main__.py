"""``python -m fetal_book`` is the same as ``fetal-lib``."""

from fetal_book.cli import main

if __name__ == "__main__":
    main()
