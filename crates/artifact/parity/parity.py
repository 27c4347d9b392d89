"""Lets programs of others read an exported model, and compares what they predict.

    SCORER=… parity.py FOLDER

FOLDER has parity/vectors.parquet and the files of a model; SCORER is the example verify_parity of the
crate artifact, which lets our scorer read them. Fails if one disagrees."""

import importlib.metadata
import pathlib
import sys
import time
import traceback
import warnings

from readers import READERS, NotRun
from vectors import Vectors

# Where the native trees are to be that much smaller than the text of the nine levels.
SIZE_SHARE_MAX = 0.25


def version(reader):
    try:
        name = {"mlflow.pyfunc": "mlflow-skinny"}.get(reader, reader)
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def run(reader, folder, vectors):
    """A row of the table, and whether the reader agrees."""
    start = time.perf_counter()
    try:
        found = READERS[reader](folder, vectors)
    except NotRun as reason:
        return [reader, version(reader), "-", "-", "-", f"not run: {reason}"], True
    except Exception as problem:
        traceback.print_exc()
        return [reader, version(reader), "-", "-", "-", f"FAILED: {problem!r}"], False
    seconds = time.perf_counter() - start
    difference = "-" if found.ulps != found.ulps else str(found.ulps)
    notes = [f"DISAGREES: {problem}" for problem in found.problems[:3]] or found.notes
    cells = [reader, version(reader), str(found.rows), difference, f"{seconds:.2f}"]
    return cells + [", ".join(notes)], not found.problems


def sizes(folder, vectors):
    """Rows of bytes of the trees of each regressor, native and as text, and whether the share holds."""
    rows, holds = [], True
    for ensemble in vectors.ensembles:
        native = folder / f"{ensemble}.bin"
        texts = list(folder.glob(f"{ensemble}/q*/model.txt"))
        if texts and native.exists():
            text = sum(path.stat().st_size for path in texts)
            share = native.stat().st_size / text
            holds &= share <= SIZE_SHARE_MAX
            rows.append([ensemble, str(native.stat().st_size), str(text), f"{share:.3f}"])
    return rows, holds


def table(header, rows):
    widths = [max(len(row[at]) for row in [header, *rows]) for at in range(len(header))]
    for row in [header, ["-" * width for width in widths], *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    print()


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    warnings.filterwarnings("ignore")
    folder = pathlib.Path(sys.argv[1])
    vectors = Vectors(folder)
    about = vectors.metadata
    print(
        f"model {about['model_id']}: {len(vectors)} rows, which meet {about['splits_met']} of "
        f"{about['splits']} splits at the threshold and both neighbours\n"
    )
    results = [run(reader, folder, vectors) for reader in READERS]
    table(["reader", "version", "rows", "ulp", "seconds", ""], [row for row, _ in results])
    of_sizes, holds = sizes(folder, vectors)
    table(["trees", "native bytes", "nine model.txt", "share"], of_sizes)
    if not holds:
        print(f"native trees are more than {SIZE_SHARE_MAX} of the nine model.txt")
    if not (holds and all(agrees for _, agrees in results)):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
