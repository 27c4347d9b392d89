"""Writes the manifest of a folder that has the files of a model: write_manifest.py FOLDER MODEL_ID.

The example `export` writes files for other programs, which need none; a bundle that is loaded has one.
"""

import hashlib
import json
import pathlib
import sys

folder, model_id = pathlib.Path(sys.argv[1]), sys.argv[2]
files = {}
for path in sorted(folder.rglob("*")):
    if path.is_file() and path.name != "manifest.json":
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        files[path.relative_to(folder).as_posix()] = {"sha256": digest, "bytes": len(content)}
manifest = {"model_id": model_id, "files": files}
(folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
