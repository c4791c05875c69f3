#!/bin/sh
# outside_test.sh SOURCE_DIR BUILD_DIR: copies the example out of the tree,
# builds external_store_check with it, and checks it and file:// by their URLs.
# Status 0: both keep their promises.
set -eu
source_dir=$1
build_dir=$2/external_store_example
outside=$(mktemp -d "${TMPDIR:-/tmp}/vitrine-test-XXXXXX")
trap 'rm -rf "$outside"' EXIT
cp "$source_dir/tests/external_store_example/hashtable_store.cc" "$outside/mine.cc"

rm -rf "$build_dir"
cmake -S "$source_dir" -B "$build_dir" \
  -DEXTERNAL_STORE_SOURCES="$outside/mine.cc" -DVITRINE_BUILD_BENCHMARKS=OFF
cmake --build "$build_dir" --target external_store_check -j 2
check=$build_dir/tests/external_store_check
"$check" hashtable://a
"$check" "file://$outside/values"
status=0
"$check" nosuch://a || status=$?
test "$status" -eq 2
