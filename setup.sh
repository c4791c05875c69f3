#!/usr/bin/env bash
# From a fresh Debian to a running store.  `./setup.sh help` says how.
#
# Works as root, or as a user who may use sudo.  Idempotent.  Uses no network
# but apt.  All files that `run` makes outside the build directory are listed
# below "Places"; `stop` removes them.
set -euo pipefail

root_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build_dir=$root_dir/build
bin_dir=$build_dir/bin

# Places.  All files that `run` makes are here; `stop` removes them.
if [[ $EUID -eq 0 ]]; then
  demo_dir=/var/lib/vitrine-demo
  mount_dir=${VITRINE_MOUNT:-/mnt/vitrine}
  default_socket=/run/vitrine/vitrine.sock
else
  demo_dir=${XDG_STATE_HOME:-$HOME/.local/state}/vitrine-demo
  mount_dir=${VITRINE_MOUNT:-$HOME/vitrine}
  default_socket=${XDG_RUNTIME_DIR:-/tmp/vitrine-$EUID}/vitrine.sock
fi
export VITRINE_SOCKET=${VITRINE_SOCKET:-$default_socket}
state_dir=$demo_dir/state
pid_file=$demo_dir/pid
log_file=$demo_dir/vitrined.log
made_file=$demo_dir/made     # Directories that were not there before.
places_file=$demo_dir/places # Mount, socket and memory of the running store.

build_packages=(g++ cmake ninja-build pkg-config ccache fuse3 libfuse3-dev
  libsqlite3-dev libboost-program-options-dev nlohmann-json3-dev
  libspdlog-dev libcli11-dev libflatbuffers-dev flatbuffers-compiler
  libxxhash-dev libsystemd-dev libnuma-dev)
run_packages=(python3)
test_packages=(libgtest-dev python3 python3-matplotlib sqlite3 strace attr
  procps)
bench_packages=(libbenchmark-dev python3 python3-matplotlib python3-venv)

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
  # Tries the present package lists first, and fetches new ones if they fail.
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
  mkdir -p "$build_dir"
  local log=$build_dir/configure.log werror=OFF
  [[ ${CI:-} != true ]] || werror=ON
  # Most of the time goes into parsing the libraries' headers.  Sources that are
  # compiled together parse them once.
  cmake -S "$root_dir" -B "$build_dir" -G Ninja \
    -DCMAKE_BUILD_TYPE=RelWithDebInfo -DVITRINE_BUILD_TESTS="$1" \
    -DVITRINE_BUILD_BENCHMARKS="$2" \
    -DVITRINE_WERROR="$werror" \
    -DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=16 > "$log" 2>&1 || {
    cat "$log" >&2
    die "cmake could not configure the build"
  }
  cmake --build "$build_dir" -j "$(nproc)"
}

do_build() {
  install_packages "${build_packages[@]}"
  configure_and_build OFF OFF
  note "programs: build/bin/   library: build/lib/"
}

# Lets every user use FUSE, as udev does on a booted Debian.
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
  # Replaces this shell, so that its signals reach the benchmarks.
  exec "$root_dir/benchmarks/run" "$@"
}

# --- The store --------------------------------------------------------------

# Prints the pid of the store that `run` started, if it lives.  The program's path
# is checked, because pids are reused.
store_pid() {
  local pid exe
  pid=$(cat "$pid_file" 2> /dev/null) || return 1
  exe=$(readlink "/proc/$pid/exe" 2> /dev/null) || return 1
  [[ ${exe% (deleted)} == "$bin_dir/vitrined" ]] || return 1
  echo "$pid"
}

# True if the running store is the program of the current build.
store_is_current() {
  local pid
  pid=$(store_pid) && [[ $(readlink "/proc/$pid/exe") == \
    "$bin_dir/vitrined" ]]
}

# Prints the mount points at or below `$1`, the last first.
mounts_at() {
  awk -v place="$1" '
    $5 == place || index($5, place "/") == 1 { points[++n] = $5 }
    END { while (n > 0) print points[n--] }' /proc/self/mountinfo
}

# is_our_mount DIR
is_our_mount() {
  awk -v place="$1" '$5 == place {
    for (i = 7; i < NF; i++) if ($i == "-") type = $(i + 1)
  } END { exit type != "fuse.vitrine" }' /proc/self/mountinfo
}

# missing_dirs DIR: prints which of it and its parents are not there yet.
missing_dirs() {
  if [[ ! -d $1 ]]; then
    missing_dirs "$(dirname "$1")"
    echo "$1"
  fi
}

make_demo_dir() {
  local missing
  missing=$(missing_dirs "$(dirname "$demo_dir")")
  mkdir -p "$demo_dir"
  [[ -z $missing ]] || echo "$missing" >> "$made_file"
}

# Sets `mount_options` and `mount_shown`: the store's mount point.
choose_mount() {
  mount_options=(--mount "$mount_dir")
  mount_shown=$mount_dir
  if [[ ! -r /dev/fuse || ! -w /dev/fuse ]]; then
    note "no mount: /dev/fuse is missing or not open to this user"
  elif ! is_root && ! command -v fusermount3 > /dev/null; then
    note "no mount: this user would need fusermount3 (Debian package fuse3)"
  else
    if ! is_our_mount "$mount_dir" && [[ -n $(ls -A "$mount_dir" 2> /dev/null) ]]; then
      die "$mount_dir is not empty; set VITRINE_MOUNT to another directory"
    fi
    missing_dirs "$mount_dir" >> "$made_file"
    mkdir -p "$mount_dir"
    return
  fi
  mount_options=()
  mount_shown=
}

same_places() {
  local places
  mapfile -t places < "$places_file"
  [[ ${places[0]} == "$mount_dir" && ${places[1]} == "$VITRINE_SOCKET" ]]
}

start_store() {
  make_demo_dir
  choose_mount
  if store_is_current && same_places && vitrine_is_ready 0; then
    note "it runs already"
    return
  fi
  end_store
  missing_dirs "$(dirname "$VITRINE_SOCKET")" >> "$made_file"
  printf '%s\n' "$mount_dir" "$VITRINE_SOCKET" > "$places_file"
  local capacity=()
  [[ -z ${VITRINE_CAPACITY:-} ]] || capacity=(--capacity "$VITRINE_CAPACITY")
  setsid "$bin_dir/vitrined" --socket "$VITRINE_SOCKET" \
    --state-dir "$state_dir" "${mount_options[@]}" "${capacity[@]}" \
    < /dev/null > "$log_file" 2>&1 &
  echo $! > "$pid_file"
  vitrine_is_ready 20 || {
    cat "$log_file" >&2
    end_store
    die "the store did not start"
  }
  "$bin_dir/vitrine" status --json | python3 -c \
    'import json, sys; print(json.load(sys.stdin)["memory"]["directory"])' \
    >> "$places_file"
  cat "$log_file"
}

# vitrine_is_ready SECONDS: waits at most that long, and only while the store lives.
vitrine_is_ready() {
  local end=$((SECONDS + $1))
  until timeout 5 "$bin_dir/vitrine" status --wait --timeout 500ms \
    > /dev/null 2>&1; do
    if [[ $SECONDS -ge $end ]] || ! kill -0 "$(cat "$pid_file")" 2> /dev/null
    then
      return 1
    fi
  done
}

do_run() {
  install_packages "${build_packages[@]}" "${run_packages[@]}"
  open_fuse_device
  configure_and_build OFF OFF
  say "Starting the store"
  start_store
  say "The main job, on real files"
  "$root_dir/client/examples/main_job.sh" "$bin_dir" "$demo_dir/input" \
    "$mount_shown"
  print_places
}

print_places() {
  say "The store runs (pid $(store_pid))"
  note "mount:  ${mount_shown:-none}"
  note "socket: $VITRINE_SOCKET"
  note "state:  $state_dir (catalog.db: sqlite3 can read it)"
  note "log:    $log_file"
  say "Try it"
  [[ $VITRINE_SOCKET == "$default_socket" ]] ||
    note "export VITRINE_SOCKET=$VITRINE_SOCKET"
  if [[ -n $mount_shown ]]; then
    note "cp FILE $mount_dir/unsealed/x && mv $mount_dir/unsealed/x" \
      "$mount_dir/sealed/"
    note "ls -l $mount_dir/sealed"
  fi
  note "build/bin/vitrine ls -l      build/bin/vitrine --help"
  note "build/bin/vitrine sql 'SELECT id, size_bytes FROM sealed LIMIT 5'"
  note "./setup.sh stop"
}

# Ends the store, and removes the files that a killed store left.
end_store() {
  local pid point places=("$mount_dir")
  [[ ! -f $places_file ]] || mapfile -t places < "$places_file"
  if pid=$(store_pid); then
    kill -TERM "$pid" 2> /dev/null || true
    wait_for_end "$pid" 30 || {
      note "it does not end by itself: killing it"
      kill -KILL "$pid" 2> /dev/null || true
      wait_for_end "$pid" 10 || die "process $pid does not go away"
    }
  fi
  rm -f "$pid_file"
  if is_our_mount "${places[0]}"; then
    if is_root; then
      umount -l "${places[0]}"
    else
      fusermount3 -uz "${places[0]}"
    fi
  fi
  mounts_at "$state_dir" | while IFS= read -r point; do
    umount -l "$point"
  done
  # Without a tmpfs of its own, the store's memory is a private directory here.
  if [[ ${places[2]:-} == /dev/shm/vitrine-* ]]; then
    rm -rf "${places[2]}"
  fi
  # A socket on which no store answers was left by a killed store.
  if [[ -S ${places[1]:-} ]] &&
    ! "$bin_dir/vitrine" --socket "${places[1]}" status > /dev/null 2>&1; then
    rm -f "${places[1]}" "${places[1]}.lock"
  fi
  rm -f "$places_file"
}

# wait_for_end PID SECONDS
wait_for_end() {
  local end=$((SECONDS + $2))
  while [[ -d /proc/$1 && $(awk '/^State/ {print $2}' "/proc/$1/status" \
    2> /dev/null) != Z ]]; do
    [[ $SECONDS -lt $end ]] || return 1
    sleep 0.05
  done
}

do_stop() {
  if [[ ! -d $demo_dir ]]; then
    note "nothing to stop"
    return
  fi
  say "Stopping the store"
  local made=() places=("$mount_dir" "$VITRINE_SOCKET")
  [[ ! -f $places_file ]] || mapfile -t places < "$places_file"
  end_store
  [[ ! -f $made_file ]] || mapfile -t made < <(tac "$made_file")
  rm -rf "$demo_dir"
  local dir
  for dir in "${made[@]}"; do
    rmdir "$dir" 2> /dev/null || true
  done
  for dir in "$demo_dir" "${places[@]:1}"; do
    [[ ! -e $dir ]] || die "still there: $dir"
  done
  ! is_our_mount "${places[0]}" || die "still mounted: ${places[0]}"
  note "stopped; nothing is left but the build directory"
}

# --- The command line -------------------------------------------------------

usage() {
  cat << 'END'
Usage: ./setup.sh COMMAND

  build   install what is missing (apt) and build: build/bin, build/lib
  test    build everything and run all tests; more arguments go to ctest
  run     build, start a store with its mount, and put real files through it
  stop    stop that store and remove all that `run` made
  bench   build and run the benchmarks; more arguments go to benchmarks/run
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
