"""``python -m fetal_lib`` is the same as ``fetal-lib``."""

from fetal_lib.cli import main

if __name__ == "__main__":
    main()
