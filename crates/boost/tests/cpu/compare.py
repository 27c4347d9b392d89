"""Compares what crates/boost/tests/cpu prints on this processor, with other numbers of threads, built
for other instructions, and on another architecture: it has to be the same bytes.

    CARGO=… TARGET=<folder to build in> python compare.py

The other architecture is WebAssembly, which has 32 bits, no vectors, no fused operations and one
thread: rustup installs its standard library, and the package wasmtime runs it. Where either is
missing, that is said, and the rest is compared. Fails if anything differs, or cannot be built."""

import hashlib
import os
import pathlib
import platform
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
CARGO = os.environ.get("CARGO", "cargo")
TARGET = pathlib.Path(os.environ["TARGET"]).absolute()
WASM = "wasm32-wasip1"


class NotRun(Exception):
    """A variant cannot be run on this machine, and why."""


def built(name, flags="", target=None):
    """The program, built with flags of rustc, or for a target."""
    folder = TARGET / name
    command = [CARGO, "build", "--release", "--locked", "--quiet", "--manifest-path"]
    command += [str(HERE / "Cargo.toml"), "--target-dir", str(folder)]
    if target:
        command += ["--target", target]
    # These go before any flags of the environment, which would be of another variant.
    environment = {**os.environ, "RUSTFLAGS": flags}
    environment.pop("CARGO_ENCODED_RUSTFLAGS", None)
    subprocess.run(command, check=True, env=environment)
    folder = folder / target / "release" if target else folder / "release"
    return folder / ("cpu-boost.wasm" if target else "cpu-boost")


def run(program, threads):
    environment = {**os.environ, "RAYON_NUM_THREADS": str(threads)}
    done = subprocess.run([program], check=True, env=environment, capture_output=True, text=True)
    return done.stdout


def in_wasmtime(program):
    try:
        import wasmtime
    except ImportError as problem:
        raise NotRun(f"the Python package wasmtime is not installed: {problem}")
    engine = wasmtime.Engine()
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    store = wasmtime.Store(engine)
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "stdout"
        wasi = wasmtime.WasiConfig()
        wasi.stdout_file = str(out)
        wasi.inherit_stderr()
        store.set_wasi(wasi)
        module = wasmtime.Module.from_file(engine, str(program))
        start = linker.instantiate(store, module).exports(store)["_start"]
        try:
            start(store)
        except wasmtime.ExitTrap as ended:
            if ended.code:
                raise
        return out.read_text()


def on_wasm():
    try:
        add = ["rustup", "target", "add", WASM]
        done = subprocess.run(add, capture_output=True, text=True)
    except FileNotFoundError:
        raise NotRun(f"no rustup to install {WASM}")
    if done.returncode:
        raise NotRun(f"{WASM} cannot be installed: {done.stderr.strip().splitlines()[-1]}")
    return in_wasmtime(built(WASM, target=WASM))


def on_v3():
    if platform.machine() != "x86_64":
        raise NotRun("not an x86-64 processor")
    flags = pathlib.Path("/proc/cpuinfo")
    known = set(flags.read_text().split()) if flags.exists() else set()
    if not {"avx2", "fma", "bmi2"} <= known:
        raise NotRun("this processor has no AVX2 and FMA, or does not say so")
    return run(built("v3", "-Ctarget-cpu=x86-64-v3"), 2)


def without_vectors():
    flags = "-Cno-vectorize-loops -Cno-vectorize-slp -Copt-level=1"
    if platform.machine() == "x86_64":
        flags += " -Ctarget-cpu=x86-64"
    return run(built("scalar", flags), 2)


def digests(text):
    """By name the SHA-256 of what was printed."""
    lines = [line.split(" ") for line in text.splitlines()]
    return {name: hashlib.sha256(bytes.fromhex(hexadecimal)).hexdigest() for name, hexadecimal in lines}


def main():
    program = built("native")
    expected = digests(run(program, 1))
    for name, digest in expected.items():
        print(f"{name:24} {digest}")
    if len(expected) != 6:
        raise SystemExit("the program does not print all that it should")
    variants = {
        "2 threads": lambda: run(program, 2),
        "5 threads": lambda: run(program, 5),
        "x86-64-v3 (AVX2, FMA)": on_v3,
        "without vector code": without_vectors,
        f"{WASM} in wasmtime": on_wasm,
    }
    differ = False
    for variant, printed in variants.items():
        try:
            found = digests(printed())
        except NotRun as reason:
            print(f"{variant:24} not run: {reason}")
            continue
        others = [name for name in expected if found.get(name) != expected[name]]
        print(f"{variant:24} {'DIFFERS in ' + ', '.join(others) if others else 'the same'}", flush=True)
        differ |= bool(others)
    if differ:
        raise SystemExit(1)


if __name__ == "__main__":
    sys.exit(main())
