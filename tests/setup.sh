#!/bin/sh
# Installs what building and testing need on Debian 12 and 13. Says nothing when it is all there.
# usage: tests/setup.sh [GROUP ...]     (default: build libpq test postgres)
#   groups: build libpq test postgres lint fuzz valgrind interop debian
set -eu

build="gcc make libc6-dev pkg-config liblmdb-dev libcurl4-openssl-dev libjansson-dev libssl-dev
	libinih-dev libxxhash-dev"
libpq="libpq-dev" # of it a header; the library itself is loaded where a database is asked for
test="check python3 strace openssl ca-certificates g++ prometheus zsh fish"
lint="clang clang-format mandoc libclang-rt-dev"
# Not in every release: what needs it is skipped where it is missing.
fuzz="node-llhttp"
postgres="postgresql"
valgrind="valgrind"
interop="nodejs npm openssl python3 default-jdk-headless gunicorn python3-gevent puma"
debian="debootstrap"

[ $# -gt 0 ] || set -- build libpq test postgres
missing=
wanted=
for group in "$@"; do
	case $group in
	build) packages=$build ;;
	libpq) packages=$libpq ;;
	test) packages=$test ;;
	postgres) packages=$postgres ;;
	lint) packages=$lint ;;
	fuzz) packages=$fuzz ;;
	valgrind) packages=$valgrind ;;
	interop) packages=$interop ;;
	debian) packages=$debian ;;
	*) echo "setup: no such group: $group" >&2; exit 64 ;;
	esac
	for package in $packages; do
		# A tool that came another way than as a package (python3, node, npm) is as good.
		case $package in
		prometheus) tool=promtool ;;
		default-jdk-headless) tool=javac ;;
		nodejs) tool=node ;;
		debootstrap | python3 | strace | zsh | fish | openssl | clang) tool=$package ;;
		clang-format | mandoc | npm | gcc | g++ | make | pkg-config) tool=$package ;;
		*) tool= ;;
		esac
		# Its programs are in no path.
		[ "$package" != postgresql ] || ! ls /usr/lib/postgresql/*/bin/postgres \
			>/dev/null 2>&1 || continue
		[ -z "$tool" ] || ! command -v "$tool" >/dev/null 2>&1 || continue
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' &&
			continue
		case $group in
		fuzz | postgres) wanted="$wanted $package" ;;
		*) missing="$missing $package" ;;
		esac
	done
done
[ -n "$missing$wanted" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
	[ -n "$missing" ] || exit 0
	echo "setup: this is no Debian system; please install what these packages hold:$missing" >&2
	exit 69
fi
if [ "$(id -u)" -eq 0 ]; then
	as_root=
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
	as_root="sudo -n"
else
	[ -n "$missing" ] || exit 0
	echo "setup: please install, as root: apt-get install$missing" >&2
	exit 69
fi

# apt-get waits for dpkg's lock by itself, for those of its lists and archives not.
LOCK_WAIT_S=300
began_s=$(date +%s)
apt() {
	until out=$($as_root env LC_ALL=C DEBIAN_FRONTEND=noninteractive \
		apt-get -o DPkg::Lock::Timeout=$LOCK_WAIT_S -qq "$@" 2>&1); do
		case $out in
		*"Could not get lock"* | *"Unable to lock"* | *"Unable to acquire"*lock*) ;;
		*) began_s=0 ;;
		esac
		if [ $(($(date +%s) - began_s)) -ge $LOCK_WAIT_S ]; then
			printf '%s\n' "$out" >&2
			exit 69
		fi
		sleep 1
	done
}
echo "setup: installing$missing$wanted"
apt update
for package in $wanted; do
	if apt-cache show "$package" >/dev/null 2>&1; then
		missing="$missing $package"
	else
		echo "setup: no package $package in this release; what needs it is skipped"
	fi
done
[ -n "$missing" ] || exit 0
# shellcheck disable=SC2086 # words on purpose
apt install -y --no-install-recommends $missing
