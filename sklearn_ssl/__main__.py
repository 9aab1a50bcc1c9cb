"""Print what to state when reporting a problem, or the version alone."""

import argparse

from sklearn_ssl._show_versions import show_versions
from sklearn_ssl._version import __version__

if __name__ == "__main__":
    parser = argparse.ArgumentParser("python -m sklearn_ssl", description=__doc__)
    parser.add_argument("--version", action="version", version=f"sklearn_ssl {__version__}")
    parser.parse_args()
    show_versions()
