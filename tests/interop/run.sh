#!/bin/sh
# run.sh - runpost beside other people's programs. Do verifiers accept what runpost signs, and
# refuse it once it was tampered with? Do receivers in other people's servers get each run once
# (test_receivers.py)?
#
# Usage: tests/interop/run.sh [BUILD_DIR]
#        (default: build; `make` must have made the programs there)
# Installs the verifiers of package-lock.json into BUILD_DIR/interop with npm. Takes CC, CFLAGS and
# SANITIZE from the environment. The last line says "N passed, N failed"; the exit status is 0 only
# when nothing failed.
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
mkdir -p "$dir"
# What was installed is remembered, so that a second run needs no network.
if ! cmp -s "$here/package-lock.json" "$dir/installed-lock.json"; then
	cp "$here/package.json" "$here/package-lock.json" "$dir/"
	options="--ignore-scripts --no-audit --no-fund --loglevel=error"
	# shellcheck disable=SC2086 # words on purpose
	(cd "$dir" && npm ci $options >npm.log 2>&1) || {
		cat "$dir/npm.log" >&2
		give_up "npm could not install the verifiers"
	}
	cp "$here/package-lock.json" "$dir/installed-lock.json"
fi

# The options are lists of words.
# shellcheck disable=SC2046,SC2086
${CC:-cc} -std=c11 -D_GNU_SOURCE ${CFLAGS:--O2 -g} ${SANITIZE:-} -I"$root/include" -I"$root/src" \
	$(pkg-config --cflags libcrypto) "$here/sign_main.c" "$build/librunpost.a" \
	$(pkg-config --libs libcrypto) -o "$dir/sign_main" || give_up "sign_main.c does not compile"

status=0
node "$here/verify.js" "$dir/sign_main" "$dir" >"$dir/verify.log" || status=$?
cat "$dir/verify.log"
rm -f "$dir/secrets" "$dir/message" "$dir/public.der" "$dir/signature"

python3 "$root/tests/stories/run.py" --stories "$here" --bin "$build" \
	>"$dir/receivers.log" 2>&1 || status=1
cat "$dir/receivers.log"
tail -qn 1 "$dir/verify.log" "$dir/receivers.log" |
	awk '{ p += $1; f += $3 } END { print p " passed, " f " failed" }'
exit $status
