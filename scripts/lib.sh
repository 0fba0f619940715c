# What the scripts share. Sourced, never run: . "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck shell=bash

program=${0##*/}
root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
build=${LUACTR_BUILD:-$root/build}
[[ $build = /* ]] || build=$root/$build

say() { printf '%s: %s\n' "$program" "$*" >&2; }
die() { say "$@"; exit 1; }

# The comment at the head of a script is its help text.
usage() { sed -n '2,/^[^#]/{/^#/!d; s/^# \{0,1\}//; p}' "$0"; }

# ---- Debian packages, by what they are for
declare -A packages=(
  [build]="gcc cmake make pkg-config libc6-dev lua5.4 liblua5.4-dev libcap-dev libseccomp-dev libarchive-dev
           nettle-dev lua-argparse lua-cjson lua-cjson-dev lua-luv"
  [test]="lua-busted lua-filesystem busybox-static util-linux iproute2 procps uidmap tmux zsh fish squashfs-tools
          erofs-utils fuse-overlayfs skopeo umoci zstd xz-utils bzip2"
  [registry]="docker-registry" # its package starts a service, which nobody asked for on a desk
  [podman]="podman netavark aardvark-dns iptables"
  [engines]="podman netavark aardvark-dns docker.io containerd iptables runc crun" # these, too
  [lint]="lua-check clang-format clang-tidy"
  [sanitize]="libasan8 libubsan1 valgrind libc6-dbg"
  [vm]="qemu-system-x86 qemu-system-common linux-image-cloud-amd64 busybox-static cpio kmod
        apparmor"
  [bench]="crun runc bubblewrap conmon hyperfine"
)

# missing_packages SET...: those of the sets that are not installed, one a line
missing_packages() {
  local set wanted=()
  for set in "$@"; do
    [[ -n ${packages[$set]-} ]] || die "unknown set of packages: $set (${!packages[*]})"
    read -r -d '' -a wanted <<<"${wanted[*]-} ${packages[$set]}" || true
  done
  comm -23 <(printf '%s\n' "${wanted[@]}" | sort -u) \
           <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null |
             sed -n 's/^installed //p' | sort -u)
}

# need_packages SET...: install what is missing; no call of apt when nothing is
need_packages() {
  local missing
  command -v dpkg-query >/dev/null || { say "not a Debian system: see scripts/lib.sh for what luactr needs"; return 0; }
  mapfile -t missing < <(missing_packages "$@")
  (( ${#missing[@]} )) || return 0
  [[ $(id -u) = 0 ]] || die "these packages are missing, and only root can install them:
  sudo apt-get install --no-install-recommends ${missing[*]}"
  say "installing ${missing[*]}"
  install_packages "${missing[@]}" || die "apt-get could not install ${missing[*]}"
}

install_packages() {
  local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -y -q --no-install-recommends install)
  # The lists may be missing (a fresh image) or old (a package that has moved since): update then.
  "${apt[@]}" "$@" >&2 || { apt-get -q update >&2 && "${apt[@]}" "$@" >&2; }
}

# ---- CMake
# cmake_build DIRECTORY [OPTION...]: configure once, then build what has changed
cmake_build() {
  local dir=$1 log jobs
  shift
  mkdir -p "$dir"
  log=$dir/setup.log
  jobs=$(nproc)
  (
    flock 9 # two scripts at once must not build over each other
    forget_moved_build "$dir"
    ! is_built "$dir" || exit 0
    touch "$dir/.begun"
    if [[ ! -e $dir/Makefile && ! -e $dir/build.ninja ]]; then
      say "configuring ${dir#"$root"/}"
      cmake -S "$root" -B "$dir" "$@" >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
    fi
    cmake --build "$dir" --parallel "$jobs" >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
    mv "$dir/.begun" "$dir/.built"
  ) 9>"$dir/.lock" || die "the build failed (its output is above)"
}

# To find out that there is nothing to do takes make a second. A file that was changed while the last
# build went on is newer than its beginning; a package may have brought other headers.
is_built() {
  [[ -e $1/.built && -e $1/luactr && -e $1/lib/luactr/core.so ]] || return 1
  [[ -z $(find "$root/CMakeLists.txt" "$root/csrc" "$root/lua" /var/lib/dpkg/status \
    -newer "$1/.built" -print -quit 2>&1) ]]
}

# CMake refuses a build directory that was made elsewhere: a checkout that was moved or copied.
forget_moved_build() {
  local cache=$1/CMakeCache.txt
  [[ -e $cache ]] || return 0
  grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$cache" && return 0
  find "$1" -mindepth 1 -maxdepth 1 ! -name .lock -exec rm -rf {} +
}
