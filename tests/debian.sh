#!/bin/sh
# Runs `make test` in another release of Debian: a bare system made in a folder, in which nothing is
# installed but make, as README tells it. Mirror, proxy and the like are those of this machine's
# apt. Nothing stays behind.
# usage: tests/debian.sh [--if-possible] RELEASE     (trixie, bookworm)
#   --if-possible: where such a system cannot be had, say so and end with 0; else that is 69
set -eu

PREPARE_S=900 # to get the system; where a mirror is slow, that is no fault of ours
TEST_S=1500

impossible=69
if [ "${1:-}" = --if-possible ]; then
	impossible=0
	shift
fi
[ $# -eq 1 ] || { echo "usage: tests/debian.sh [--if-possible] RELEASE" >&2; exit 64; }
release=$1
here=$(cd "$(dirname "$0")/.." && pwd)
folder=
job=

cannot() {
	echo "debian: the tests do not run in $release: $1"
	exit $impossible
}

# In the background, so that a signal ends it at once.
bounded() {
	timeout -k 10 "$@" &
	job=$!
	code=0
	wait $job || code=$?
	job=
	return $code
}

clean() {
	[ -z "$job" ] || { kill "$job" && wait "$job"; } 2>/dev/null || true
	[ -z "$folder" ] || rm -rf --one-file-system "$folder"
}
trap clean EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

host_mirror() {
	. /etc/os-release
	apt-get indextargets --format '$(CODENAME) $(SITE)' 'Created-By: Packages' |
		sed -n "s/^${VERSION_CODENAME:-none} //p" | head -n 1
}

[ "$(id -u)" -eq 0 ] || cannot "only root can make such a system"
command -v apt-get >/dev/null 2>&1 || cannot "this is no Debian system"
# All mounts are in a namespace of their own, and all processes: both are gone with its first
# process.
own="unshare --mount --pid --fork --kill-child"
$own true 2>/dev/null || cannot "unshare makes no namespaces here"
"$here/tests/setup.sh" debian || cannot "debootstrap cannot be installed"
mirror=$(host_mirror)
case $mirror in
http://* | https://*) ;;
*) cannot "apt has no mirror of http or https here" ;;
esac
proxy=$(apt-config dump | sed -n 's/^Acquire::http::Proxy "\(.*\)";$/\1/p')
[ -z "$proxy" ] || [ "$proxy" = DIRECT ] ||
	export http_proxy="${http_proxy:-$proxy}" https_proxy="${https_proxy:-$proxy}"

mkdir -p "$here/build"
folder=$(mktemp -d "$here/build/debian-XXXXXX")
root=$folder/root
echo "debian: making $release in $folder"
bounded $PREPARE_S $own debootstrap --variant=minbase "$release" "$root" "$mirror" \
	>"$folder/log" 2>&1 || cannot "debootstrap failed: $(tail -n 1 "$folder/log")"

apt-config dump Acquire | grep -E '^Acquire::(https?::|Check-|Retries|ForceIPv)' \
	>"$root/etc/apt/apt.conf.d/99host" || true
echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/99fast" # a system that lives for minutes
cp /etc/resolv.conf /etc/hosts "$root/etc/"
mkdir "$root/src"
tar -C "$here" --exclude=./build --exclude=./.git -cf - . | tar -C "$root/src" -xf -

inside() {
	limit_s=$1
	# The root of the mount namespace itself is moved: a chroot is left behind by nsenter, which
	# some tests use.
	bounded "$limit_s" $own --propagation private sh -c '
		mount --bind "$1" "$1" && mount -t proc proc "$1/proc" &&
			mount --rbind /dev "$1/dev" && mount --rbind /sys "$1/sys" &&
			mkdir -p "$1/.host" && cd "$1" && pivot_root . .host && cd / &&
			umount -l .host && rmdir .host &&
			exec env -u TMPDIR -u MAKEFLAGS -u MAKELEVEL HOME=/root LC_ALL=C.UTF-8 \
				DEBIAN_FRONTEND=noninteractive \
				PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
				sh -c "cd /src && $2"' sh "$root" "$2"
}

inside $PREPARE_S 'apt-get update -qq && apt-get install -y -qq --no-install-recommends make' \
	>"$folder/log" 2>&1 || cannot "apt-get failed: $(tail -n 1 "$folder/log")"
echo "debian: make test in $release"
inside $TEST_S 'make -j"$(nproc)" test WERROR=1'
