"""Fetch the data sets that are not here: `make book` calls this before it builds.

It says first what it fetches, and how large that is. What can't be had is named in one line; the book goes on without.
"""

import io
import sys
from contextlib import redirect_stdout

from icg_book.kit.folders import dataset_folder, missing
from icg_book.scenarios import mnist, photographs

FETCHED_BY = {"MNIST": lambda: mnist.load("test"), "Imagenette": lambda: photographs.files("val")}  # all of a data set


def main() -> int:
    wanted = missing()
    if wanted:
        names = " and ".join(f"{data.name} ({data.megabytes} MB)" for data in wanted)
        print(f"Fetching {names} to {dataset_folder()}", flush=True)
    for data in wanted:
        try:
            with redirect_stdout(io.StringIO()):  # torchvision tells of each mirror; bars are on stderr
                FETCHED_BY[data.name]()
        except ValueError as error:
            reason = str(error).partition(" Set the environment variable")[0]  # which is advice on another way
            print(f"Going on without {data.name}, other pictures stand in for it: {reason}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
