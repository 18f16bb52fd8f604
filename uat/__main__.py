"""``python -m uat``."""

from uat.cli import main

if __name__ == "__main__":
    main()
