#!/usr/bin/env bash
# From a fresh Debian to a running store.  `./setup.sh help` says how.
#
# Works as root, or as a user who may use sudo; idempotent; no network but
# apt.  What `run` makes outside the build directory stands below "Places",
# and `stop` removes all of it.
set -euo pipefail

root_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build_dir=$root_dir/build
bin_dir=$build_dir/bin

build_packages=(g++ cmake ninja-build pkg-config ccache fuse3 libfuse3-dev
  libsqlite3-dev libboost-program-options-dev nlohmann-json3-dev
  libspdlog-dev libcli11-dev libflatbuffers-dev flatbuffers-compiler
  libxxhash-dev libsystemd-dev)
run_packages=(python3)
test_packages=(libgtest-dev python3 sqlite3 strace attr procps)
bench_packages=(libbenchmark-dev python3)

say() { printf '\n== %s\n' "$*"; }
note() { printf '   %s\n' "$*"; }
die() {
  printf 'setup.sh: %s\n' "$*" >&2
  exit 1
}
is_root() { [[ $EUID -eq 0 ]]; }

# --- Packages ---------------------------------------------------------------

as_root() {
  if is_root; then
    "$@"
  elif command -v sudo > /dev/null; then
    sudo "$@"
  else
    die "this needs root, and there is no sudo: $*"
  fi
}

apt_get() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 \
    -o DPkg::Lock::Timeout=300 "$@"
}

# Prints those of its arguments that are not installed.
missing_packages() {
  local package
  for package in "$@"; do
    [[ $(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2> /dev/null) == \
      ii* ]] || printf '%s\n' "$package"
  done
}

install_packages() {
  command -v dpkg-query > /dev/null ||
    die "no dpkg here: install by hand what these Debian packages hold: $*"
  local missing
  mapfile -t missing < <(missing_packages "$@")
  if [[ ${#missing[@]} -eq 0 ]]; then
    return
  fi
  say "Installing with apt: ${missing[*]}"
  # Package lists that are there may do; fresh ones are fetched if they do not.
  apt_get install -y --no-install-recommends "${missing[@]}" 2> /dev/null || {
    note "fetching the package lists first"
    apt_get update
    apt_get install -y --no-install-recommends "${missing[@]}"
  }
}

# --- Building and testing ---------------------------------------------------

# configure_and_build TESTS BENCHMARKS, each ON or OFF.
configure_and_build() {
  say "Building into ${build_dir#"$root_dir"/}/"
  cmake -S "$root_dir" -B "$build_dir" -G Ninja -DCMAKE_BUILD_TYPE=Release \
    -DVITRINE_BUILD_TESTS="$1" -DVITRINE_BUILD_BENCHMARKS="$2" > \
    "$build_dir.log" 2>&1 || {
    cat "$build_dir.log" >&2
    die "cmake could not configure the build"
  }
  rm -f "$build_dir.log"
  cmake --build "$build_dir" -j "$(nproc)"
}

do_build() {
  install_packages "${build_packages[@]}"
  configure_and_build OFF OFF
  note "programs: build/bin/   library: build/lib/"
}

# As udev does on a Debian that has booted: everybody may use FUSE.
open_fuse_device() {
  if ! is_root; then
    return
  fi
  [[ -e /dev/fuse ]] || modprobe fuse 2> /dev/null || true
  if [[ -c /dev/fuse && $(stat -c %a /dev/fuse) == 600 ]]; then
    chmod 0666 /dev/fuse
  fi
}

# count_tests JUNIT_FILE: prints how many passed, failed and were skipped.
count_tests() {
  local suite name tests failures skipped disabled
  suite=$(tr '\n\t' '  ' < "$1" | grep -o '<testsuite [^>]*>' | head -n 1)
  for name in tests failures skipped disabled; do
    printf -v "$name" '%d' \
      "$(sed -n "s/.* $name=\"\([0-9]*\)\".*/\1/p" <<< "$suite")"
  done
  skipped=$((skipped + disabled))
  printf '%d passed, %d failed, %d skipped\n' \
    "$((tests - failures - skipped))" "$failures" "$skipped"
}

do_test() {
  install_packages "${build_packages[@]}" "${test_packages[@]}"
  open_fuse_device
  configure_and_build ON OFF
  say "Testing"
  local junit=$build_dir/tests.xml status=0
  rm -f "$junit"
  ctest --test-dir "$build_dir" --output-on-failure --no-tests=error \
    --timeout 600 -j "$(nproc)" --output-junit "$junit" "$@" || status=$?
  [[ -s $junit ]] || die "ctest left no results (exit status $status)"
  count_tests "$junit"
  return "$status"
}

do_bench() {
  install_packages "${build_packages[@]}" "${bench_packages[@]}"
  open_fuse_device
  "$root_dir/benchmarks/run" "$@"
}

# --- The command line -------------------------------------------------------

usage() {
  cat << 'END'
Usage: ./setup.sh COMMAND

  build   install what is missing (apt) and build: build/bin, build/lib
  test    build everything and run all tests; more arguments go to ctest
  run     build, start a store with its mount, and put real files through it
  stop    stop that store and remove all that `run` made
  bench   build and run the benchmarks
  install PACKAGE...
          install those of these Debian packages that are missing
  count FILE
          say how many tests of a JUnit file passed, failed, were skipped
  help    this text
END
}

main() {
  local command=${1:-help}
  [[ $# -eq 0 ]] || shift
  case $command in
    build | run | stop | test | bench) "do_$command" "$@" ;;
    install) install_packages "$@" ;;
    count) count_tests "$@" ;;
    help | -h | --help) usage ;;
    *)
      usage >&2
      exit 2
      ;;
  esac
}

main "$@"
