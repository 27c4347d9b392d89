#!/usr/bin/env bash
# Backtest on Olist, then LightGBM on the same matrix and origins.
# usage: olist.sh LONGHAUL OLIST_FOLDER STORE   (STORE is a local folder)
set -euo pipefail
longhaul=$1 olist=$2 store=$3
here=$(cd "$(dirname "$0")" && pwd)
venv=$here/../.venv-bench

"$longhaul" import olist --from "$olist" --store "$store"
"$longhaul" backtest pipelines/olist.toml --store "$store" \
  --from 2018-01-01 --to 2018-04-15 --every 7d --export --json >"$store/backtest.json"
folder=$(python3 -c 'import json, sys; print(json.load(sys.stdin)["result"]["folder"])' \
  <"$store/backtest.json")

if [ ! -x "$venv/bin/python" ]; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --requirement "$here/requirements.txt"
fi
# A peer that spins on a busy core makes every figure meaningless.
OMP_WAIT_POLICY=passive "$venv/bin/python" "$here/lightgbm_olist.py" "$store/$folder"
# What `make figures` writes into README.
python3 "$here/figures.py" record olist "$store/backtest.json" "$store/$folder/lightgbm.json"
