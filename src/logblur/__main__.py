"""``python -m logblur``."""

import sys

from logblur.cli import main

if __name__ == "__main__":
    sys.exit(main())
