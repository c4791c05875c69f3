#!/usr/bin/env bash
# What a store is for, on real files, for all to see:
#
#   main_job.sh BIN_DIR INPUT_DIR [MOUNT]
#
# Files go in by `cp` + `mv` and by `vitrine put`, are listed, compared with
# their originals, and read in place by a C++ program and by plain python3.
# Without MOUNT only the socket is used ($VITRINE_SOCKET).  Works a second
# time: what it put before, it removes first.
set -euo pipefail
export LC_ALL=C

bin_dir=$1
input_dir=$2
mount=${3:-}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(cd "$here/../.." && pwd)
PATH=$bin_dir:$PATH

say() { printf '\n-- %s\n' "$*"; }
note() { printf '   %s\n' "$*"; }
die() {
  printf 'main job: %s\n' "$*" >&2
  exit 1
}
now_us() { echo "${EPOCHREALTIME//[^0-9]/}"; }
# rate BYTES MICROSECONDS: GB/s.
rate() { awk -v b="$1" -v t="$2" 'BEGIN { printf "%.2f", b / 1e3 / (t + 1) }'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }
# timed VARIABLE BYTES COMMAND...: runs it and sets VARIABLE to its GB/s.
timed() {
  local result=$1 bytes=$2 start
  shift 2
  start=$(now_us)
  "$@"
  printf -v "$result" '%s' "$(rate "$bytes" $(($(now_us) - start)))"
}

# status_value PATH: a value of the store's status, by its Python subscripts.
status_value() {
  vitrine status --json |
    python3 -c "import json, sys; print(json.load(sys.stdin)$1)"
}

# --- Input ------------------------------------------------------------------

numbers=$input_dir/numbers.f64

# make_numbers OTHER_BYTES: all goes in twice and shall stay in, so the array
# gets what seven tenths of the capacity leave beside the other inputs.
make_numbers() {
  local capacity count wanted=125000000
  capacity=$(status_value '["capacity_bytes"]')
  count=$(((capacity * 7 / 10 - 2 * $1) / 2 / 8))
  [[ $count -gt 0 ]] || die "a store of $capacity bytes is too small for this"
  if [[ $count -ge $wanted ]]; then
    count=$wanted
  else
    note "the store holds $capacity bytes, so the array is scaled down to" \
      "$count numbers"
  fi
  if [[ ! -f $numbers || $(stat -c %s "$numbers") -ne $((count * 8)) ]]; then
    note "writing $count float64 numbers"
    "$here/make_numbers.py" "$count" "$numbers"
  fi
  cat "$numbers" > /dev/null # Into the page cache: the disk is not our matter.
}

# Prints "id<TAB>file" for each input but the array.
list_inputs() {
  find "${bin_dir%/*}/lib" -name 'libvitrine.so*' -type f -printf '%f\t%p\n'
  find "$repository"/*.md /usr/share/common-licenses -type f \
    -printf 'doc-%f\t%p\n' | sort
}

# --- The job ----------------------------------------------------------------

ids=()
files=()
bare_rate=''
first_rate=''
cp_rate=''
put_rate=''

remove_old() {
  local id existing
  existing=$(vitrine ls)
  for id in "${ids[@]}" "${ids[@]/#/put-}" numbers put-numbers; do
    if grep -qxF -- "$id" <<< "$existing"; then
      vitrine rm "$id"
    fi
  done
}

# A writer that was stopped half-way may have left these.
remove_unsealed() {
  local id
  for id in "${ids[@]}" numbers; do
    rm -f "$mount/unsealed/$id"
  done
}

copy_in() {
  cp "$2" "$mount/unsealed/$1"
  mv "$mount/unsealed/$1" "$mount/sealed/"
}

by_mount() {
  say "cp + mv, through the mount"
  local i
  for i in "${!ids[@]}"; do
    copy_in "${ids[i]}" "${files[i]}"
  done
  note "${#ids[@]} files: the library and documents"
  timed cp_rate "$size" copy_in numbers "$numbers"
  note "numbers: $size bytes at $cp_rate GB/s"
}

by_put() {
  say "vitrine put, through the socket"
  local i
  for i in "${!ids[@]}"; do
    vitrine put --id "put-${ids[i]}" "${files[i]}" > /dev/null
  done
  note "${#ids[@]} files: the library and documents"
  timed put_rate "$size" vitrine put --id put-numbers "$numbers" > /dev/null
  note "put-numbers: $size bytes at $put_rate GB/s"
}

list_all() {
  if [[ -n $mount ]]; then
    say "ls -l $mount/sealed"
    ls -l "$mount/sealed"
  fi
  say "vitrine ls -l"
  vitrine ls -l
}

# compare ID FILE
compare() {
  if [[ -n $mount ]]; then
    cmp "$mount/sealed/$1" "$2"
  else
    vitrine get "$1" | cmp - "$2"
  fi || die "$1 differs from $2"
}

compare_all() {
  say "cmp with the originals"
  local i count=0
  for i in "${!ids[@]}"; do
    compare "put-${ids[i]}" "${files[i]}"
    [[ -z $mount ]] || compare "${ids[i]}" "${files[i]}"
    count=$((count + 1))
  done
  compare put-numbers "$numbers"
  [[ -z $mount ]] || compare numbers "$numbers"
  note "all are equal: $((count + 1)) files, each by every way it went in"
}

# Prints the path under which any program can map the object: in the mount, or
# the memory itself, which the catalog knows.
plain_path() {
  if [[ -n $mount ]]; then
    echo "$mount/sealed/$1"
  else
    sleep 0.1 # The catalog is at most 50 ms behind.
    printf '%s/segments/%016x\n' "$(status_value '["memory"]["directory"]')" \
      "$(vitrine sql --csv "SELECT segment FROM sealed WHERE id = '$1'" |
        tail -n 1)"
  fi
}

# The line without its rate must be the same from both programs.
map_one() {
  local native plain
  native=$(map_object "$1")
  note "C++, libvitrine   $1: $native"
  plain=$("$here/map_file.py" "$(plain_path "$1")")
  note "python3, mmap     $1: $plain"
  [[ ${native%, *} == "${plain%, *}" ]] || die "the sums differ"
}

map_all() {
  say "Mapped and summed in place"
  map_one put-numbers
  [[ -z $mount ]] || map_one numbers
}

# Sets `bare` to a directory on a tmpfs like the store's own, if we may mount
# one, else on /dev/shm.
open_bare_tmpfs() {
  local memory option
  memory=$(status_value '["memory"]["directory"]')
  option=$(awk -v place="$memory" '$2 == place && $3 == "tmpfs" &&
    match($4, /huge=[a-z_]+/) { print substr($4, RSTART, RLENGTH) }' /proc/mounts)
  bare=$(mktemp -d /dev/shm/vitrine-demo-XXXXXX)
  if [[ -n $option && $EUID -eq 0 ]]; then
    mount -t tmpfs -o "size=$((size * 9 / 4)),$option" vitrine-demo "$bare"
    bare_words="bare tmpfs, $option"
  else
    bare_words="bare tmpfs, /dev/shm"
  fi
}

close_bare_tmpfs() {
  rm -f "$bare"/[ab]
  ! mountpoint -q "$bare" || umount "$bare"
  rmdir "$bare"
}

# For comparison, if there is room.  What comes first pays for the first touch
# of the machine's memory, on a virtual machine many times over; so this comes
# first, with as much memory as the store is going to take.
bare_tmpfs() {
  local free
  free=$(df --output=avail -B1 /dev/shm 2> /dev/null | tail -n 1) || return 0
  [[ $free -ge $((size * 9 / 4)) ]] || return 0
  open_bare_tmpfs
  trap close_bare_tmpfs EXIT
  timed first_rate "$size" cp "$numbers" "$bare/a"
  cp "$numbers" "$bare/b"
  rm "$bare"/[ab]
  timed bare_rate "$size" cp "$numbers" "$bare/a"
  trap - EXIT
  close_bare_tmpfs
}

# rate_line WHAT RATE
rate_line() {
  local ratio=
  [[ -z $bare_rate ]] || ratio="($(ratio "$2" "$bare_rate") of bare tmpfs)"
  printf '   %-34s %6s GB/s  %s\n' "$1" "$2" "$ratio"
}

print_rates() {
  say "Throughput of the array, $size bytes"
  if [[ -n $bare_rate ]]; then
    note "cp onto $bare_words: $bare_rate GB/s"
    note "  ($first_rate GB/s into memory that nothing had touched yet)"
  fi
  [[ -z $cp_rate ]] || rate_line "cp + mv through the mount" "$cp_rate"
  rate_line "vitrine put" "$put_rate"
}

say "Input"
mkdir -p "$input_dir"
while IFS=$'\t' read -r id file; do
  ids+=("$id")
  files+=("$file")
done < <(list_inputs)
make_numbers "$(stat -c %s "${files[@]}" | awk '{ s += $1 } END { print s }')"
size=$(stat -c %s "$numbers")
note "${#ids[@]} files of this machine and an array of $((size / 8)) numbers"

remove_old
[[ -z $mount ]] || remove_unsealed
bare_tmpfs
[[ -z $mount ]] || by_mount
by_put
list_all
compare_all
map_all
print_rates
