# Names for what people and CI run; the logic is in Rust. `make help` lists them.

CARGO ?= cargo
STORE ?= store
DIR ?=
AS_OF ?= 2018-05-01
# Respected wherever it points, so that CI and several clones can share one.
TARGET := $(or $(CARGO_TARGET_DIR),target)
LONGHAUL := $(TARGET)/debug/longhaul

# Unoptimised Polars needs more than the usual 2 MiB of stack on its own threads too.
export RUST_MIN_STACK := 16777216

.PHONY: help run test test-nights test-kills test-peers test-cpu parity test-onnx test-python test-deploy test-ceph conformance test-olist olist shop test-shop header figures check-figures s3 lint audit release fuzz fuzz-parsers \
  bench-quality bench-networks bench-variants bench-boost bench-features bench-score bench-open bench-serve bench-artifact clean

help: ## Lists the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(LONGHAUL): build
.PHONY: build
build:
	@$(CARGO) build --workspace

run: build ## Simulates a small network and runs the whole job on it [STORE=s3://bucket/prefix]
	$(LONGHAUL) simulate pipelines/demo.toml --store $(STORE)
	$(LONGHAUL) run pipelines/demo.toml --store $(STORE)

test: ## Runs all tests
	$(CARGO) test --workspace
	$(CARGO) test --locked --manifest-path schemas/odcs/Cargo.toml --target-dir $(TARGET)/odcs

NIGHTS ?= 2000
SEED ?= 1

test-nights: ## Nights on a store with faults and crashes, and a year with gc, in one process: [NIGHTS=2000] [SEED=1]
	NIGHTS=$(NIGHTS) SEED=$(SEED) $(CARGO) test --workspace --bin longhaul -- --nocapture simulation::disturbed
	$(CARGO) test --workspace --bin longhaul -- --nocapture --ignored simulation::year

test-kills: ## A night that is killed at each of its writes and at 200 moments, or meets a full disk (needs a C compiler)
	$(CARGO) test --workspace --test system -- --nocapture --ignored write_faults

PEERS := crates/boost/tests/peers

test-peers: .venv-peers/installed ## Our trees against scikit-learn's and LightGBM's (needs Python 3.11, PyPI)
	$(CARGO) build -p boost --example peer_predictions
	OURS=$(TARGET)/debug/examples/peer_predictions .venv-peers/bin/python $(PEERS)/compare.py

.venv-peers/installed: $(PEERS)/requirements.txt
	test -x .venv-peers/bin/python || python3 -m venv .venv-peers
	.venv-peers/bin/pip install --quiet --requirement $(PEERS)/requirements.txt
	touch $@

CPU := crates/boost/tests/cpu

test-cpu: .venv-cpu/installed ## The bytes of a training with other instructions, threads and a 32-bit architecture (needs Python 3.11, PyPI, rustup)
	CARGO="$(CARGO)" TARGET=$(TARGET)/cpu .venv-cpu/bin/python $(CPU)/compare.py

.venv-cpu/installed: $(CPU)/requirements.txt
	test -x .venv-cpu/bin/python || python3 -m venv .venv-cpu
	.venv-cpu/bin/pip install --quiet --requirement $(CPU)/requirements.txt
	touch $@

# Random models with all that a model may be made of, and the bundles that are named.
ONNX_MODELS := 1 2 3 4 5 6 7 8 $(BUNDLES)

test-onnx: .venv-parity/installed ## The exported model in ONNX Runtime and MLflow against our scorer (needs Python 3.11, PyPI): [BUNDLES=folders]
	$(CARGO) build -p artifact --example onnx_rows
	for model in $(ONNX_MODELS); do rm -rf $(TARGET)/onnx-parity && echo "model $$model" && \
	  $(TARGET)/debug/examples/onnx_rows $$model 500 $(TARGET)/onnx-parity && \
	  .venv-parity/bin/python crates/artifact/parity/onnx_parity.py $(TARGET)/onnx-parity $(TARGET)/onnx-parity/rows.csv || exit; done

PARITY := crates/artifact/parity

# A bundle that has parity vectors is read as it is; of others the files are written first.
parity: .venv-parity/installed ## A published model as other programs read it, bit by bit: [DIR=<bundle folder>] (needs Python 3.11, PyPI)
	$(CARGO) build -p artifact --example export --example verify_parity
	@if test -n "$(DIR)" && test -e "$(DIR)/parity/vectors.parquet"; then folder="$(DIR)"; else \
	  folder=.parity; rm -rf $$folder; \
	  $(TARGET)/debug/examples/export "$(or $(DIR),generated:1)" $$folder || exit; fi; \
	export FOLDER="$$folder" SCORER="$(abspath $(TARGET))/debug/examples/verify_parity"; \
	.venv-parity/bin/python -W ignore $(PARITY)/test_parity.py && \
	.venv-parity/bin/python $(PARITY)/parity.py "$$folder"

.venv-parity/installed: $(PARITY)/requirements.txt
	test -x .venv-parity/bin/python || python3 -m venv .venv-parity
	.venv-parity/bin/pip install --quiet --requirement $(PARITY)/requirements.txt
	touch $@

# The bundle has parity vectors: rows at all thresholds, with what they must give. DIR's are as it was
# published.
PYTHON_BUNDLE = $(or $(DIR),.parity-python)
# A speed table, and what lookups in it must give.
SPEED_TABLE := $(TARGET)/speed-table

test-python: .venv-wheel/installed ## The Python package: wheel, types, tests in a clean virtual environment: [DIR=<bundle folder>] (needs Python 3.11, PyPI)
	$(CARGO) fmt --manifest-path python/Cargo.toml --check
	rm -rf .venv-python $(TARGET)/wheels
	CARGO_TARGET_DIR=$(abspath $(TARGET))/python .venv-wheel/bin/maturin build --release --locked --quiet \
	  --manifest-path python/Cargo.toml --interpreter .venv-wheel/bin/python --out $(TARGET)/wheels
	python3 -m venv .venv-python
	.venv-python/bin/pip install --quiet --no-index $(TARGET)/wheels/longhaul-*.whl
	@if test -z "$(DIR)"; then rm -rf $(PYTHON_BUNDLE) && $(CARGO) build -p artifact --example export && \
	  $(TARGET)/debug/examples/export generated:1 $(PYTHON_BUNDLE) && \
	  .venv-python/bin/python python/tests/write_manifest.py $(PYTHON_BUNDLE) generated-1; fi
	rm -rf $(SPEED_TABLE) && mkdir -p $(SPEED_TABLE) && $(CARGO) build -p scorer --example small_speed_table
	$(TARGET)/debug/examples/small_speed_table $(SPEED_TABLE)/speed.bin >$(SPEED_TABLE)/expected.jsonl
	BUNDLE=$(PYTHON_BUNDLE) SPEED_TABLE=$(SPEED_TABLE) .venv-python/bin/python python/tests/test_alone.py
	.venv-python/bin/pip install --quiet --requirement python/requirements.txt
	cd python && ../.venv-wheel/bin/mypy --python-executable ../.venv-python/bin/python
	.venv-wheel/bin/pip install --quiet --no-index --force-reinstall $(TARGET)/wheels/longhaul-*.whl
	.venv-wheel/bin/python -m mypy.stubtest longhaul._native --mypy-config-file python/pyproject.toml
	BUNDLE=$(PYTHON_BUNDLE) .venv-python/bin/python python/tests/test_longhaul.py
	SPEED_TABLE=$(SPEED_TABLE) .venv-python/bin/python python/tests/test_speed_table.py

.venv-wheel/installed: python/requirements-tools.txt
	test -x .venv-wheel/bin/python || python3 -m venv .venv-wheel
	.venv-wheel/bin/pip install --quiet --requirement python/requirements-tools.txt
	touch $@

test-deploy: build .venv-deploy/installed ## The files for schedulers, and what runs leave for Prometheus, OpenLineage, DuckDB and Polars (needs Python 3.11, PyPI)
	LONGHAUL=$(abspath $(LONGHAUL)) .venv-deploy/bin/python deploy/tests/test_deploy.py
	LONGHAUL=$(abspath $(LONGHAUL)) .venv-deploy/bin/python deploy/tests/test_records.py
	LONGHAUL=$(abspath $(LONGHAUL)) .venv-deploy/bin/python deploy/tests/test_predictions.py

.venv-deploy/installed: deploy/tests/requirements.txt
	test -x .venv-deploy/bin/python || python3 -m venv .venv-deploy
	.venv-deploy/bin/pip install --quiet --requirement deploy/tests/requirements.txt
	touch $@

olist: build ## Imports the Olist CSVs and runs the whole job on them: DIR=folder [STORE=…] [AS_OF=…]
	@test -n "$(DIR)" || { echo 'make olist DIR=<folder with the public CSVs>'; exit 2; }
	$(LONGHAUL) import olist --from $(DIR) --store $(STORE)-olist
	$(LONGHAUL) run pipelines/olist.toml --as-of $(AS_OF) --store $(STORE)-olist

test-olist: ## Runs the tests that need the Olist CSVs: DIR=folder
	@test -n "$(DIR)" || { echo 'make test-olist DIR=<folder with the public CSVs>'; exit 2; }
	OLIST_DIR=$(abspath $(DIR)) $(CARGO) test --workspace -- --ignored olist

shop: build ## Imports the German shop's orders and runs the whole job on them: DIR=folder [STORE=…]
	@test -n "$(DIR)" || { echo 'make shop DIR=<folder with orders.csv of the Data Mining Cup 2010>'; exit 2; }
	$(LONGHAUL) import shop_de --from $(DIR) --store $(STORE)-shop
	$(LONGHAUL) run pipelines/shop_de.toml --as-of 2008-12-01 --store $(STORE)-shop

test-shop: ## Runs the tests that need the German shop's orders: DIR=folder
	@test -n "$(DIR)" || { echo 'make test-shop DIR=<folder with orders.csv of the Data Mining Cup 2010>'; exit 2; }
	SHOP_DIR=$(abspath $(DIR)) $(CARGO) test --workspace -- --ignored german_shop

figures: build ## Writes the figures that README and the guide quote: runs the demo, takes what benchmarks recorded
	python3 benches/figures.py write --longhaul $(LONGHAUL)

check-figures: build ## Fails if README or the guide quote what is not so any more
	python3 benches/figures.py check --longhaul $(LONGHAUL)

test-ceph: ## Runs the tests that need an S3 server against a full Ceph gateway (needs ceph-mon, ceph-osd, radosgw)
	tests/ceph.sh $(CARGO) test --workspace -- --ignored --nocapture \
	  the_store_of_the_environment the_conformance_table

conformance: ## Prints what each kind of store keeps to: [LONGHAUL_TEST_STORE=s3://bucket/prefix and AWS variables]
	$(CARGO) test --workspace -- --ignored --nocapture the_conformance_table

header: ## Writes the C header of the scorer anew; with CHECK=1 says whether it is stale
	$(CARGO) run --quiet --locked --manifest-path crates/scorer_c/header/Cargo.toml \
	  --target-dir $(TARGET)/header -- $(if $(CHECK),--check)

s3: build ## Starts an S3-compatible server on loopback and says how to use it
	$(TARGET)/debug/s3_server --folder .s3 --port 9000 --bucket demo

lint: ## Formatting, clippy and unused dependencies
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	$(CARGO) fmt --manifest-path python/Cargo.toml --check
	$(CARGO) clippy --locked --manifest-path python/Cargo.toml --target-dir $(TARGET)/python -- -D warnings

audit: ## Licences, advisories, duplicate and unused dependencies (needs cargo-deny, cargo-machete)
	cargo deny check
	cargo deny --manifest-path python/Cargo.toml --config deny.toml check
	cargo machete

release: ## Builds the binary that is shipped
	$(CARGO) build --release -p longhaul

# What cargo-fuzz sets, without the sanitizer that needs a nightly compiler. The target is named so
# that build scripts are not instrumented.
FUZZ_FLAGS := --cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
  -Cllvm-args=-sanitizer-coverage-trace-compares
HOST := $(shell rustc -vV | sed -n 's/^host: //p')
SECONDS ?= 60

fuzz: ## Any bytes through the trainer and its oracle: [SECONDS=60] (needs a C++ compiler)
	RUSTFLAGS="$(FUZZ_FLAGS)" $(CARGO) build --release --locked --target $(HOST) \
	  --manifest-path crates/boost/fuzz/Cargo.toml --target-dir $(TARGET)/fuzz
	mkdir -p .fuzz/boost
	$(TARGET)/fuzz/$(HOST)/release/fuzz-boost .fuzz/boost -max_len=2048 \
	  -max_total_time=$(SECONDS) -artifact_prefix=.fuzz/

fuzz-parsers: ## Mutated inputs through all that is parsed: [SECONDS=60] [SEED=1] [ONLY=contract|declaration|pipeline|import|control|bundle|parquet]
	SECONDS=$(SECONDS) SEED=$(SEED) ONLY=$(ONLY) FUZZ_KEEP=$(CURDIR)/.fuzz \
	  $(CARGO) test --workspace --bin longhaul -- --nocapture --ignored fuzzing::parsers_for_a_while

QUALITY_FLAGS = $(if $(DIR),--olist $(DIR)) $(if $(SHOP),--shop $(abspath $(SHOP))) $(if $(ONLY),--only "$(ONLY)") $(if $(CHECK),--check) \
  $(if $(OLIST_EXPORT),--olist-export $(OLIST_EXPORT)) \
  $(if $(SIMULATED_EXPORT),--simulated-export $(SIMULATED_EXPORT)) \
  $(if $(SHOP_EXPORT),--shop-export $(SHOP_EXPORT)) \
  $(foreach export,$(IN_FLIGHT_EXPORTS),--in-flight-export $(export)) \
  $(if $(BEFORE_EXPORT),--before-export $(BEFORE_EXPORT)) $(if $(LIGHTGBM),--peers $(LIGHTGBM))

bench-quality: $(if $(PROGRAM),,build) .venv-bench/quality ## Our forecasts against their peers, window by window: [DIR=<Olist CSVs>] [SHOP=<shop_de>] [ONLY=…] [CHECK=1]
	.venv-bench/bin/python -m unittest discover -q -s benches/quality
	.venv-bench/bin/python benches/quality/run.py --longhaul $(or $(PROGRAM),$(LONGHAUL)) $(QUALITY_FLAGS)
	python3 benches/figures.py record quality .bench/bench-quality.json

bench-networks: $(if $(PROGRAM),,build) .venv-bench/quality ## Default settings on simulated networks of every kind: [ONLY=…] [CHECK=1]
	.venv-bench/bin/python -m unittest discover -q -s benches/quality
	.venv-bench/bin/python benches/networks/run.py --longhaul $(or $(PROGRAM),$(LONGHAUL)) \
	  $(if $(ONLY),--only "$(ONLY)") $(if $(CHECK),--check)
	python3 benches/figures.py record networks .bench/bench-networks.json

bench-variants: $(if $(PROGRAM),,build) .venv-bench/quality ## What each part of the method is worth on Olist: DIR=<Olist CSVs> [ONLY=…] [EVERY=14d]
	@test -n "$(DIR)" || { echo 'make bench-variants DIR=<folder with the public CSVs>'; exit 2; }
	.venv-bench/bin/python benches/quality/variants.py --longhaul $(or $(PROGRAM),$(LONGHAUL)) \
	  --olist $(abspath $(DIR)) $(if $(EVERY),--every $(EVERY)) $(if $(ONLY),--only "$(ONLY)")

.venv-bench/quality: benches/requirements.txt
	test -x .venv-bench/bin/python || python3 -m venv .venv-bench
	.venv-bench/bin/pip install --quiet --requirement benches/requirements.txt
	touch $@

# The product is built only for the rows that need its features: Olist's and the simulated network's.
BENCH_TARGET := $(TARGET)/bench-boost
BENCH_FLAGS = $(if $(ROWS),--rows $(ROWS)) $(if $(ROUNDS),--rounds $(ROUNDS)) \
  $(if $(REPEATS),--repeats $(REPEATS)) $(if $(ONLY),--only "$(ONLY)") \
  $(if $(KEEP),--keep) $(if $(KEEP_THEIRS),--keep-theirs) $(if $(CHECK),--check) \
  $(if $(DIR)$(SIMULATED),--longhaul $(LONGHAUL)) $(if $(DIR),--olist $(DIR)) \
  $(if $(OLIST_EXPORT),--olist-export $(OLIST_EXPORT)) \
  $(if $(SIMULATED_EXPORT),--simulated-export $(SIMULATED_EXPORT))

bench-boost: $(if $(DIR)$(SIMULATED),build) .venv-bench/boost ## Our training against its peers; benches/boost/README.md has the settings
	for part in ours peers; do $(CARGO) build --release --locked \
	  --manifest-path benches/boost/$$part/Cargo.toml --target-dir $(BENCH_TARGET) || exit; done
	.venv-bench/bin/python benches/boost/run.py --ours $(BENCH_TARGET)/release/bench-boost \
	  --peers $(BENCH_TARGET)/release/bench-peers $(BENCH_FLAGS)
	python3 benches/figures.py record boost .bench/bench-boost.json

.venv-bench/boost: benches/requirements.txt benches/boost/requirements.txt
	test -x .venv-bench/bin/python || python3 -m venv .venv-bench
	.venv-bench/bin/pip install --quiet --no-deps --ignore-requires-python \
	  --requirement benches/boost/requirements.txt
	touch $@

# The program as it is shipped, unless another is given.
PROGRAM ?=
FEATURES_FLAGS = $(if $(DIR),--olist $(DIR)) $(if $(SHIPMENTS),--shipments $(SHIPMENTS)) \
  $(if $(REPEATS),--repeats $(REPEATS)) $(if $(ONLY),--only "$(ONLY)") $(if $(CHECK),--check)

bench-features: $(if $(PROGRAM),,release) .venv-bench/features ## Our features against the same in DuckDB: [DIR=…] [SHIPMENTS=5000000]
	.venv-bench/bin/python benches/features/run.py $(FEATURES_FLAGS) \
	  --longhaul $(or $(PROGRAM),$(TARGET)/release/longhaul)
	python3 benches/figures.py record features .bench/bench-features.json

.venv-bench/features: benches/features/requirements.txt
	test -x .venv-bench/bin/python || python3 -m venv .venv-bench
	.venv-bench/bin/pip install --quiet --requirement benches/features/requirements.txt
	touch $@

bench-artifact: ## What loading and verifying a published model costs: [DIR=<bundle folder>] [CHECK=1]
	$(CARGO) build --release -p scorer --example loading
	$(CARGO) build --release -p artifact --example export --example verify_parity
	python3 benches/artifact/run.py --programs $(TARGET)/release/examples \
	  $(if $(DIR),--bundle $(DIR)) $(if $(CHECK),--check)
	$(if $(DIR),,python3 benches/figures.py record artifact .bench/bench-artifact.json)

SCORE_FLAGS = $(if $(BUNDLES),--bundles $(BUNDLES)) $(if $(PASSES),--passes $(PASSES)) $(if $(ROWS),--rows $(ROWS)) \
  $(if $(BATCH),--batch $(BATCH)) $(if $(ONLY),--only "$(ONLY)") $(if $(CHECK),--check)

bench-score: .venv-bench/score ## Our scoring against its peers, one row and many: [BUNDLES=folders] [ONLY=…] [CHECK=1] (needs Python 3.11, PyPI, gcc)
	$(CARGO) build -p artifact --example export
	$(CARGO) build --release -p scorer --example speed_table
	$(CARGO) build --release --locked --manifest-path benches/score/ours/Cargo.toml --target-dir $(TARGET)/bench-score
	.venv-bench/bin/python benches/score/run.py --ours $(TARGET)/bench-score/release/bench-score \
	  --export $(TARGET)/debug/examples/export --lookup $(TARGET)/release/examples/speed_table $(SCORE_FLAGS)
	python3 benches/figures.py record score .bench/bench-score.json

OPEN_FLAGS = $(if $(OPEN),--open $(OPEN)) $(if $(REPEATS),--repeats $(REPEATS)) $(if $(CHECK),--check)

bench-open: $(if $(PROGRAM),,release) ## What scoring a million open shipments takes: [OPEN=1000000] [REPEATS=3] [PROGRAM=…] [CHECK=1]
	python3 benches/open/run.py $(OPEN_FLAGS) --longhaul $(or $(PROGRAM),$(TARGET)/release/longhaul)
	$(if $(OPEN),,python3 benches/figures.py record open .bench/open/bench-open.json)

bench-serve: ## The HTTP service under load, a closed and an open loop, while its model is replaced: DIR=<bundle folder> [SECONDS=60]
	@test -n "$(DIR)" || { echo 'make bench-serve DIR=<bundle folder>'; exit 2; }
	$(CARGO) run --release -p serve --example load -- $(DIR) $(SECONDS)

.venv-bench/score: benches/requirements.txt benches/score/requirements.txt
	test -x .venv-bench/bin/python || python3 -m venv .venv-bench
	.venv-bench/bin/pip install --quiet --requirement benches/score/requirements.txt
	touch $@

clean: ## Removes what was built and the default store
	$(CARGO) clean
	rm -rf store store-olist store-shop .s3 .bench .fuzz .parity .parity-python
