#!/bin/sh
# run.sh - runpost beside other people's programs. Do verifiers accept what runpost signs, and
# refuse it once it was tampered with? Do receivers in other people's servers get each run once
# (test_receivers.py)? Does a run engine get its webhooks through the door (test_engine.py)?
#
# Usage: tests/interop/run.sh [BUILD_DIR]
#        (default: build; `make` must have made the programs there)
# Installs the verifiers and the engine of the lock files into BUILD_DIR/interop with npm. Takes CC,
# CFLAGS and SANITIZE from the environment. The last line says "N passed, N failed"; the exit status
# is 0 only when nothing failed.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=${1:-build}
case $build in
/*) ;;
*) build=$root/$build ;;
esac
dir=$build/interop

give_up() {
	echo "interop: $1" >&2
	echo "0 passed, 1 failed"
	exit 1
}

for tool in node npm openssl pkg-config java /usr/bin/gunicorn /usr/bin/puma; do
	command -v "$tool" >/dev/null || give_up "$tool is not installed"
done
[ -f "$build/librunpost.a" ] || give_up "$build/librunpost.a is missing: run make first"

umask 077
# install FROM INTO: what was installed is remembered, so that a second run needs no network.
install() {
	! cmp -s "$1/package-lock.json" "$2/installed-lock.json" || return 0
	! grep -q '"resolved"' "$1/package-lock.json" ||
		give_up "$1/package-lock.json names the registry it was made with"
	mkdir -p "$2"
	cp "$1/package.json" "$1/package-lock.json" "$2/"
	options="--ignore-scripts --no-audit --no-fund --loglevel=error"
	# shellcheck disable=SC2086 # words on purpose
	(cd "$2" && npm ci $options >npm.log 2>&1) || {
		cat "$2/npm.log" >&2
		give_up "npm could not install what $1/package-lock.json names"
	}
	cp "$1/package-lock.json" "$2/installed-lock.json"
}
install "$here" "$dir"
install "$here/engine" "$dir/engine"

# Where the kernel lets us, the stories have a network of loopback alone, and no process outlives
# them.
# shellcheck disable=SC2016 # for the inner shell
alone='python3 -c "$1" && shift && "$@"; exit $?'  # a shell that stays takes the orphans
lo_up='import fcntl, socket, struct
with socket.socket() as s:
    fcntl.ioctl(s, 0x8914, struct.pack("16sH14x", b"lo", 1))'  # SIOCSIFFLAGS, IFF_UP
set -- unshare --net --pid --fork --kill-child --mount-proc sh -c "$alone" sh "$lo_up"
[ "$(id -u)" -eq 0 ] || { shift; set -- unshare --map-root-user "$@"; }
"$@" true 2>/dev/null || {
	echo "interop: no network namespace to be had here; the stories run in this one"
	set --
}

# The options are lists of words.
# shellcheck disable=SC2046,SC2086
${CC:-cc} -std=c11 -D_GNU_SOURCE ${CFLAGS:--O2 -g} ${SANITIZE:-} -I"$root/include" -I"$root/src" \
	$(pkg-config --cflags libcrypto) "$here/sign_main.c" "$build/librunpost.a" \
	$(pkg-config --libs libcrypto) -o "$dir/sign_main" || give_up "sign_main.c does not compile"

status=0
node "$here/verify.js" "$dir/sign_main" "$dir" >"$dir/verify.log" || status=$?
cat "$dir/verify.log"
rm -f "$dir/secrets" "$dir/message" "$dir/public.der" "$dir/signature"

"$@" python3 "$root/tests/stories/run.py" --stories "$here" --bin "$build" \
	>"$dir/stories.log" 2>&1 || status=1
cat "$dir/stories.log"
tail -qn 1 "$dir/verify.log" "$dir/stories.log" |
	awk '{ p += $1; f += $3 } END { print p " passed, " f " failed" }'
exit $status
