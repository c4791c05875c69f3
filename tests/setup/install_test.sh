#!/usr/bin/env bash
# Installs a build elsewhere and does there what README.md says a user does:
#
#   install_test.sh BUILD_DIR
set -euo pipefail
export LC_ALL=C

build_dir=$1
readme=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/README.md
scratch=$(mktemp -d)
memory=$(mktemp -d /dev/shm/vitrine-test-XXXXXX)
store=
clean_up() {
  [[ -z $store ]] || kill "$store" 2> /dev/null || true
  wait
  rm -rf "$scratch" "$memory"
}
trap clean_up EXIT

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

cmake --install "$build_dir" --prefix "$scratch/tree" > /dev/null
[[ -f $scratch/tree/etc/vitrine/vitrined.conf ]] || fail "no configuration"
# An installed tree may be moved.
mv "$scratch/tree" "$scratch/moved"

# The example of README.md, by CMake and by pkg-config.
mkdir "$scratch/example"
{
  printf '#include <cstdio>\n#include <cstring>\n'
  # shellcheck disable=SC2016 # The backticks are the document's.
  sed -n '/^```cpp$/,/^```$/{/^```/!p}' "$readme"
} > "$scratch/example/greet.cc"
cat > "$scratch/example/CMakeLists.txt" << 'END'
cmake_minimum_required(VERSION 3.22)
project(example CXX)
find_package(vitrine REQUIRED)
add_executable(greet greet.cc)
target_link_libraries(greet vitrine::client)
END
cmake -S "$scratch/example" -B "$scratch/example/build" \
  -DCMAKE_PREFIX_PATH="$scratch/moved" > /dev/null
cmake --build "$scratch/example/build" > /dev/null
pc_dir=$(dirname "$(find "$scratch/moved" -name vitrine.pc)")
read -ra flags <<< "$(PKG_CONFIG_PATH=$pc_dir pkg-config --cflags --libs vitrine)"
c++ "$scratch/example/greet.cc" -o "$scratch/greet" "${flags[@]}"

# The example of the header.
header=$(find "$scratch/moved" -name client.h)
{
  printf '%s\n' '#include <vitrine/client.h>' '#include <cstdio>' \
    '#include <cstring>' 'int main() {' 'const char data[] = "numbers";' \
    'const size_t size_bytes = sizeof(data) - 1;'
  sed -n '/^#ifndef/q; s|^//   ||p' "$header"
  printf '%s\n' 'return sealed ? 0 : 1;' '}'
} > "$scratch/example/header.cc"
c++ -std=c++20 "$scratch/example/header.cc" -o "$scratch/header" "${flags[@]}"

export VITRINE_SOCKET=$scratch/socket
"$scratch/moved/bin/vitrined" --capacity 16M --state-dir "$scratch/state" \
  --memory-dir "$memory" > /dev/null &
store=$!
"$scratch/moved/bin/vitrine" status --wait > /dev/null
[[ $("$scratch/example/build/greet") == hello ]] || fail "the example by CMake"
"$scratch/moved/bin/vitrine" rm greeting
library_dir=$(dirname "$(find "$scratch/moved" -name libvitrine.so)")
[[ $(LD_LIBRARY_PATH=$library_dir "$scratch/greet") == hello ]] ||
  fail "the example by pkg-config"
[[ $(LD_LIBRARY_PATH=$library_dir "$scratch/header") == numbers ]] ||
  fail "the example of client.h"
kill "$store"
wait "$store" || fail "the store ended with status $?"
store=
rmdir "$memory" || fail "memory is left"
