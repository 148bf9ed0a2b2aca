#!/bin/sh
# make lint: layers, widths, circles, exported names, static data, headers that stand alone, both
# compilers without a warning, man pages, layout.
# usage: tests/lint/run.sh BUILD_DIR
set -eu
build=$1
bad=0
fail() { echo "lint: $*"; bad=1; }
flags="-std=c11 -D_GNU_SOURCE -DRP_VERSION=\"0\" -Iinclude -Isrc -Itools -Wall -Wextra -Werror
	$(pkg-config --cflags libpq)"

python3 tests/lint/layers.py || bad=1
python3 tests/lint/width.py || bad=1

for header in include/*.h $(find src tools -name '*.h'); do
	# shellcheck disable=SC2086
	gcc $flags -fsyntax-only -x c "$header" || fail "$header does not compile alone"
done
g++ -std=c++11 -Wall -Wextra -Werror -Iinclude -fsyntax-only tests/unit/api/cxx_header.cc ||
	fail "runpost.h is not usable from C++"

compile() { # COMPILER CFLAGS
	log=$build/lint-$1.log
	make --no-print-directory BUILD="$build/lint-$1" CC="$1" WERROR=1 CFLAGS="$2" -j"$(nproc)" \
		all unit >"$log" 2>&1 || { cat "$log"; fail "$1 has something to say"; }
}
compile clang -O1
compile gcc "-O2 -g"

python3 tests/lint/circles.py "$build/lint-gcc" || bad=1

# Every external symbol carries the prefix; what runpost.h declares is defined.
nm -g --defined-only "$build/lint-gcc/librunpost.a" | awk 'NF == 3 { print $3 }' | sort -u \
	>"$build/lint-names"
strange=$(grep -v '^rp_' "$build/lint-names" | tr '\n' ' ')
[ -z "$strange" ] || fail "names without the prefix: $strange"
for name in $(sed -n 's/^[a-z].*[ *]\(rp_[a-z_]*\)(.*/\1/p' include/runpost.h); do
	grep -qx "$name" "$build/lint-names" || fail "runpost.h declares $name, nobody defines it"
done

python3 tests/lint/static_data.py "$build/lint-gcc/librunpost.a" || fail "writable static data"

for page in docs/man/*.[1-8]; do
	mandoc -Tlint -Wwarning "$page" || fail "$page"
done

# shellcheck disable=SC2046
clang-format --dry-run -Werror $(find include src tools tests docs -name '*.[ch]') \
	>"$build/lint-format" 2>&1 ||
	{ head -20 "$build/lint-format"; fail "layout: run clang-format -i (see .clang-format)"; }

for script in .ci/run $(find src tests -name '*.sh'); do
	sh -n "$script" || fail "$script"
done
[ $bad -eq 0 ] && echo "lint: clean"
exit $bad
