# Plays what `runpost demo` shows; `runpost demo` starts it and gives it its own path, the file of
# runs ("": some of the demo's own), and "keep" or "". It uses the programs as a user would, in a
# folder of its own: it starts them, gives them files, reads what they print and judges it.
set -u
umask 077
LC_ALL=C # a text is bytes
export LC_ALL
self=$1 runs=$2 keep=$3
bin=${self%/*}
refusals=3 # the receiver answers so many requests 503 before it is well
broken_attempts=2
limit_cs=1500 # for each thing waited for, in hundredths of a second; what takes longer has failed
runs_max=50
step=0 senders='' failing='' sweeper='' limit='' dir=''

# A backslash at the end of a line continues it.
own_runs() {
	cat <<END
{"run_id":"01999a00-0000-7000-8000-000000000001",\
"thread_id":"01999a00-0000-7000-8000-0000000000a1","status":"success",\
"kwargs":{"webhook":"http://127.0.0.1:9911/hook?token=demo-token&op=runs"},\
"values":{"answer":"Rain is likely after four."}}
{"run_id":"01999a00-0000-7000-8000-000000000002",\
"thread_id":"01999a00-0000-7000-8000-0000000000a1","status":"success",\
"kwargs":{"webhook":"http://127.0.0.1:9911/hook?token=demo-token&op=wait"},\
"values":{"answer":"Grüße \ud83d\ude42","cost":1e400}}
{"run_id":"01999a00-0000-7000-8000-000000000003","thread_id":null,"status":"error",\
"kwargs":{"webhook":"http://127.0.0.1:9911/hook?token=demo-token&op=stream"},\
"error":"the tool did not answer"}
END
}

# --- processes, and the end

say() { printf '%s\n' "$*"; }

# Hundredths of a second since the machine was started, in `now_cs`.
clock() {
	read -r up _ </proc/uptime
	now_cs=${up%.*}${up#*.}
}

alive() { # PID; a process that has ended and was not waited for is in state Z
	{ read -r _ _ state _ <"/proc/$1/stat"; } 2>/dev/null && [ "$state" != Z ]
}

gone() { # PID HUNDREDTHS: whether it ends within them
	clock
	until_cs=$((now_cs + $2))
	while alive "$1"; do
		clock
		[ "$now_cs" -lt $until_cs ] || return 1
		sleep 0.02
	done
}

# Ends the processes and removes the folder when the demo ends, in whatever way. It reads a pipe:
# `began PID` comes from each process before it becomes a program, `ended PID` from the demo. The
# pipe ends when the demo has ended, and with it each process that has not yet told its PID.
sweep() {
	trap '' INT TERM HUP PIPE
	left='' killed=0
	while read -r event pid; do
		others=''
		for other in $left; do [ "$other" = "$pid" ] || others="$others $other"; done
		left=$others
		[ "$event" = ended ] || left="$left $pid"
	done
	for pid in $left; do kill "$pid" 2>/dev/null; done
	for pid in $left; do
		gone "$pid" 500 || { kill -KILL "$pid"; killed=1; }
	done
	[ -n "$keep" ] || rm -rf "$dir"
	exit $killed
}

finish() {
	trap '' INT TERM HUP PIPE
	[ -n "$sweeper" ] || return 0
	exec 9>&-
	wait "$sweeper" || say "   FAILED  a program did not end when told to; it was killed"
	[ -z "$keep" ] || printf '\nkept: %s\n' "$dir"
}

die() { # CODE TEXT: before the first step
	printf 'runpost demo: %s\n' "$2" >&2
	keep=''
	finish
	# the sweeper was told at its start what to keep
	[ -z "$dir" ] || rm -rf "$dir"
	exit "$1"
}

stopped() { # SIGNAL
	finish
	printf '\ndemo: stopped by signal %s\n' "$1"
	exit $((128 + $1))
}

fail() { # TEXT
	say "   FAILED  $1"
	if [ -n "$senders" ] && [ -z "$failing" ]; then
		failing=yes
		news senders
	fi
	finish
	hint=''
	[ -n "$keep" ] || hint='; --keep leaves all files to look into'
	printf '\ndemo: step %s did not do what it says%s\n' "$step" "$hint"
	exit 1
}

check() { # A B TEXT: both are to be the same
	[ "$1" = "$2" ] || fail "$3"
	say "   ok      $3"
}

heading() {
	step=$((step + 1))
	printf '\n%s. %s\n' $step "$1"
}

# Shows a text, indented; a line with the token or the signing secret in it is withheld.
reveal() { # FILE
	grep -vF -f token -f secret -f door-token "$1" | sed 's/^/     /'
	! grep -qF -f token -f secret -f door-token "$1" ||
		fail "a line is not shown: there is a token or a signing secret in it"
}

news() { # NAME: what came into its log since the last call
	shown=$(cat "$1.shown" 2>/dev/null || echo 0)
	tail -n "+$((shown + 1))" "$1.log" >"$1.news"
	echo $((shown + $(wc -l <"$1.news"))) >"$1.shown"
	reveal "$1.news"
}

start() { # INPUT OUTPUT PROGRAM ARG...: in the background; its `pid`
	input=$1 output=$2 path=$bin/$3
	[ "$3" != runpost ] || path=$self
	[ "$3" != bash ] || path=$bash
	shift 3
	{ # The process itself tells its PID: a signal may come before the demo knows it.
		read -r pid _ </proc/self/stat
		say "began $pid" >&9
		# shellcheck disable=SC2086 # these are words
		exec $limit "$path" "$@" <"$input" >>"$output" 2>&1 9>&-
	} &
	pid=$!
}

ended() { # PID; its exit code is in `code`
	wait "$1"
	code=$?
	say "ended $1" >&9
}

service() { # NAME PROGRAM ARG...: one that goes on; its outputs go to NAME.log
	log=$1.log
	shift
	say "   $ $*"
	start /dev/null "$log" "$@"
}

end() { # PID NAME; its exit code is in `code`
	kill "$1" 2>/dev/null
	gone "$1" 500 || fail "$2 did not end when told to"
	ended "$1"
}

run() { # INPUT PROGRAM ARG...: one that ends; `out` gets both its outputs, `code` its exit code
	: >out
	input=$1
	shift
	limit="timeout $((limit_cs / 100))"
	start "$input" out "$@"
	limit=''
	ended "$pid"
	[ $code -ne 124 ] || fail "$1 has not ended after $((limit_cs / 100)) s; it was stopped"
}

well() { # PROGRAM VERB: whether `run` ended well
	[ "$code" -eq 0 ] || fail "$1 $2 ended with $code; 0 was expected"
}

ingest() { # FILE
	say "   $ runpost ingest --config runpost.conf < $1"
	run "$1" runpost ingest --config runpost.conf
	reveal out
	well runpost ingest
}

quiet() { # VERB ARG...
	run /dev/null runpostctl "$@" --config runpost.conf
	[ "$code" -eq 0 ] || reveal out
	well runpostctl "$1"
}

# A screen of the inspector. On a terminal it draws tables: then it runs once more, on ours.
screen() { # VERB ARG...
	say "   $ runpostctl $* --config runpost.conf"
	run /dev/null runpostctl "$@" --config runpost.conf
	if [ -t 1 ] && ! grep -qF -f token -f secret -f door-token out; then
		"$bin/runpostctl" "$@" --config runpost.conf 9>&-
	else
		reveal out
	fi
	well runpostctl "$1"
}

# --- the runs

# The token that a run's own webhook has, if that is a receiver on this machine.
own_token() {
	at_receiver='"webhook":"http://127\.0\.0\.1:[0-9]*/[^"\\?]*?' before='\([^"\\]*&\)\{0,1\}'
	token_value='token=\([A-Za-z0-9._~-]\{6,79\}\)'
	sed -n "s|.*$at_receiver$before${token_value}[\"&].*|\2|p" given | head -n 1
}

random_hex() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }

# Reads the runs, without the white space around them, which an envelope would not keep. An ingest
# into an outbox of its own judges them.
load_runs() {
	blank=$(printf '[ \t\r]')
	if [ -n "$runs" ]; then
		name=$runs
		sed "s/^$blank*//; s/$blank*\$//" <"$runs" >"$dir/given" ||
			die 66 "cannot read $runs"
	else
		name="of the demo's own"
		own_runs >"$dir/given"
	fi
	cd "$dir" || die 74 "cannot use $dir"
	n_runs=$(grep -c . given)
	[ "$n_runs" -gt 0 ] ||
		die 64 "$name: there is no run in it; one JSON object a line is expected"
	[ "$n_runs" -le $runs_max ] ||
		die 64 "$name: the demo takes at most $runs_max runs; give it a part, as of \
\`head -n $runs_max\`"
	printf '[outbox]\ndir = %s/check\ndisk_reserve = 1M\n' "$dir" >check.conf
	run given runpost ingest --quiet --config check.conf
	[ "$code" -le 1 ] || die "$code" "$(cat out)"
	bad=$(grep -m 1 '"code":"bad_json"' out |
		sed 's/^{"line":\([0-9]*\),.*"reason":"\(.*\)"}$/\1: \2/')
	[ -z "$bad" ] || die 64 "$name:$bad"
	grep . given >lines
	token=$(own_token)
	[ -n "$token" ] || token=$(random_hex)
	random_hex >door-token
	say "$token" >"$dir/token"
	say "whsec_$(head -c 32 /dev/urandom | base64)" >secret
}

envelope() { # PORT RUN
	hook="http://127.0.0.1:$1/hook?token=$token"
	printf '{"webhook":"%s","operation":"POST /runs","run":%s}\n' "$hook" "$2"
}

# Writes what posts the lines of its input to the door, as an engine does, and prints the status and
# the body of each answer. bash is the HTTP client: it is on every Debian.
write_client() {
	cat >post.bash <<'END'
port=$1 path=$2
read -r token <token # not on a command line, which others can see
read -r bearer <door-token
while IFS= read -r run; do
	exec 3<>"/dev/tcp/127.0.0.1/$port" || exit 1
	printf '%s\r\n' "POST $path?token=$token HTTP/1.1" "Host: 127.0.0.1:$port" \
		"Authorization: Bearer $bearer" 'Content-Type: application/json' \
		"Content-Length: ${#run}" 'Connection: close' '' >&3
	printf %s "$run" >&3
	read -r _ status _ <&3
	while read -r field <&3 && [ "$field" != $'\r' ]; do :; done
	read -r body <&3
	printf '%s %s\n' "$status" "$body"
	exec 3>&-
done
END
}

# The SHA-256 of each run.
write_hashes() {
	while IFS= read -r line; do
		hash=$(printf %s "$line" | sha256sum)
		say "${hash%% *}"
	done <lines >hashes
	first=$(head -n 1 lines)
}

# --- what the programs answered

ids() { # STATUS: of the receipts in `out` that say so
	sed -n 's/^{"line":[0-9]*,"status":"'"$1"'","id":"\([^"]*\)".*/\1/p' out
}

# A line for each POST that a receiver recorded: webhook-id, status, SHA-256, signature, token.
posts() { # FILE...
	id='"webhook_id":"\([^"]*\)"' status='"status":\([0-9]*\)'
	judged='"sha256":"\([^"]*\)","signature":"\([^"]*\)","token":"\([^"]*\)"'
	cat "$@" | sed -n "s/.*$id.*$judged,$status,.*/\1 \5 \2 \3 \4/p"
}

# Of the ids in `expected`, each with its SHA-256: how many arrived, how many requests were refused,
# how many of those before one that was not, and how many ids have nothing wrong.
judge_posts() { # FILE...
	posts "$@" | awk '
		FNR == NR { sha[$1] = $2; next }
		{ all[$1]++; last[$1] = $2 }
		$2 == 200 { good[$1] = 1 }
		$2 != 200 { refused[$1]++ }
		$3 != sha[$1] || $4 != "ok" || $5 != "ok" { wrong[$1] = 1 }
		END {
			for (id in sha) {
				arrived += good[id]
				failed += refused[id]
				recovered += last[id] == 200 ? refused[id] : 0
				right += all[id] > 0 && !wrong[id]
			}
			print arrived + 0, failed + 0, recovered + 0, right + 0
		}' expected -
}

# accepted, waiting, in_flight, held, delivered, dead, purged, alive
counts() {
	quiet stats --json
	ledger='"accepted":\([0-9]*\),"entries":{\([^}]*\)}' living='"senders_alive":\([0-9]*\)'
	# shellcheck disable=SC2046 # these are words
	set -- $(sed -n "s/^{.*,$ledger,.*$living,.*/\1,\2,\3/p" out |
		sed 's/"[a-z_]*"://g; s/,/ /g')
	if [ $# -ne 8 ]; then
		reveal out
		fail "\`runpostctl stats --json\` did not print the counts it promises"
	fi
	accepted=$1 waiting=$2 in_flight=$3 held=$4 delivered=$5 dead=$6 purged=$7 at_work=$8
}

until_ledger() { # DELIVERED DEAD
	clock
	ledger_cs=$((now_cs + limit_cs))
	while counts && [ "$delivered $dead $at_work" != "$1 $2 2" ]; do
		alive "$senders" || fail "the senders ended"
		clock
		[ "$now_cs" -lt $ledger_cs ] ||
			fail "after $((limit_cs / 100)) s: $delivered delivered and $dead dead \
by $at_work senders; $1 and $2 by 2 were expected ($waiting waiting, $in_flight in flight)"
		sleep 0.04
	done
}

# --- the steps

receiver() { # NAME RECORD PORT ARG...; 0: a free port; `port` is empty when it does not listen
	receiver=$1 record=$2 wanted=$3
	shift 3
	service "$receiver" runpost-sink --port "$wanted" --token-file token --secret-file secret \
		--record "$record" "$@"
	clock
	ready_cs=$((now_cs + limit_cs))
	until port=$(sed -n 's|^ready http://127\.0\.0\.1:||p' "$receiver.log") &&
		[ -n "$port" ]; do
		clock
		if ! alive "$pid" || [ "$now_cs" -ge $ready_cs ]; then break; fi
		sleep 0.02
	done
	news "$receiver"
}

main_receiver() {
	receiver receiver receiver.ndjson 0 --status 503 --misbehave-first $refusals
	[ -n "$port" ] || fail "the receiver listens"
	main=$pid
	say "   ok      the receiver listens on 127.0.0.1:$port"
}

receivers() {
	heading "Two receivers: one is down for its first $refusals requests, the other for good. \
Both check token and signature."
	main_receiver
	main_port=$port
	receiver broken broken.ndjson 0 --status 500
	[ -n "$port" ] || fail "the broken one listens"
	broken=$pid broken_port=$port port=$main_port
	say "   ok      the broken one listens on 127.0.0.1:$broken_port"
	# nothing is ever sent to anybody else: senders connect to these two ports only
	cat >runpost.conf <<END
[outbox]
dir = $dir/outbox
disk_reserve = 1M

[sender]
stop_grace = 2s

[door]
listen = 127.0.0.1:0
token_file = $dir/door-token
rejects = $dir/rejects

[defaults]
allow_http = yes
allow = 127.0.0.1
allow_ports = $port $broken_port
secret_file = $dir/secret
timeout = 5s
retry_base = 200ms
retry_factor = 2
retry_cap = 1s
retry_attempts = 8

[endpoint "receiver"]
url = http://127.0.0.1:$port/hook
door = yes

[endpoint "broken"]
url = http://127.0.0.1:$broken_port/
retry_attempts = $broken_attempts
END
}

open_door() {
	service door runpost serve --config runpost.conf
	door=$pid
	clock
	ready_cs=$((now_cs + limit_cs))
	door_address='ev=ready addresses=http://127\.0\.0\.1:\([0-9]*\)'
	until door_port=$(sed -n "s|.*$door_address.*|\1|p" door.log) && [ -n "$door_port" ]; do
		clock
		if ! alive "$pid" || [ "$now_cs" -ge $ready_cs ]; then break; fi
		sleep 0.02
	done
	news door
	[ -n "$door_port" ] || fail "the front door takes runs"
}

post_runs() { # what the door answers is in `out`
	run lines bash post.bash "$door_port" /to/receiver
	reveal out
	well "the HTTP" client
}

answers() { # HTTP-STATUS STATUS: the ids of those in `out`
	sed -n "s/^$1 {\"status\":\"$2\",\"id\":\"\([^\"]*\)\".*/\1/p" out
}

take_all() {
	heading "The engine POSTs its completed runs to the front door; sent again, they change \
nothing."
	open_door
	plural=s
	[ "$n_runs" -ne 1 ] || plural=''
	say "   $n_runs run$plural ($name), a POST to /to/receiver?token=... for each:"
	write_client
	post_runs
	answers 202 queued >first-ids
	queued=$(wc -l <first-ids)
	check "$queued" "$n_runs" \
		"answers 202, so that the run is on disk: $queued of $n_runs"
	write_hashes
	paste -d ' ' first-ids hashes >expected
	say "   the same once more, as by an engine that had no answer:"
	post_runs
	answers 200 duplicate >same-ids
	same=$(grep -cxF -f first-ids same-ids)
	[ "$(cat same-ids)" = "$(cat first-ids)" ] || same="not $n_runs"
	check "$same" "$n_runs" "answers 200 with the first id: $same of $n_runs"
}

delivery() {
	heading "Two senders deliver; what the receiver refuses is sent again until it arrives."
	service senders runpost send --config runpost.conf --senders 2
	senders=$pid
	until_ledger "$n_runs" 0
	news senders
	say "   the receiver:"
	news receiver
	# shellcheck disable=SC2046 # these are words
	set -- $(judge_posts receiver.ndjson)
	check "$1" "$n_runs" "runs the receiver answered 200: $1 of $n_runs"
	check "$2 $3" "$refusals $refusals" \
		"requests answered 503 first, and sent again with the same webhook-id: \
$3 of $refusals"
	check "$4" "$n_runs" \
		"runs with the SHA-256 of the input, a good signature and a good token each time: \
$4 of $n_runs"
}

dead_letter() {
	heading "A run for the receiver that stays broken, a line this time, ends in the dead \
letters."
	envelope "$broken_port" "$first" >broken-run.ndjson
	ingest broken-run.ndjson
	broken_id=$(ids queued)
	check "$(wc -l <out) ${broken_id:+queued}" "$(grep -c . out) queued" \
		"the receipt says queued"
	say "$broken_id $(head -n 1 hashes)" >expected
	until_ledger "$n_runs" 1
	news senders
	say "   the broken receiver:"
	news broken
	quiet list --state dead --json
	letter='"state":"dead",.*"attempts":\([0-9]*\),.*"cause":"\([a-z_]*\)"'
	found=$(sed -n "s/^{\"id\":\"\([^\"]*\)\",.*$letter,.*/\1 \2 \3/p" out)
	screen dead
	check "$found" "$broken_id $broken_attempts exhausted" \
		"$broken_id is the one dead letter, its $broken_attempts attempts exhausted"
	check "$(grep -c "$broken_id" out)" 1 "\`runpostctl dead\` shows it"
}

replay() {
	heading "The receiver is mended, and the dead letter replayed."
	end "$broken" "the broken receiver"
	news broken
	receiver mended mended.ndjson "$broken_port"
	check "$port" "$broken_port" "the mended receiver listens on the same port"
	mended=$pid
	say "   $ runpostctl replay --state dead --yes --config runpost.conf"
	run /dev/null runpostctl replay --state dead --yes --config runpost.conf
	reveal out
	well runpostctl replay
	until_ledger $((n_runs + 1)) 0
	say "   the mended receiver:"
	news mended
	# shellcheck disable=SC2046 # these are words
	set -- $(judge_posts broken.ndjson mended.ndjson)
	check "$1 $3" "1 $broken_attempts" \
		"the same webhook-id arrived: refused $3 times, then answered 200"
	check "$4" 1 "same bytes, a good signature and a good token each time"
}

screens() {
	heading "What an operator sees."
	screen stats
	screen list
	screen show "$broken_id"
	screen verify
	say "   ok      \`runpostctl verify\` finds nothing wrong"
	counts
	elsewhere=$((waiting + in_flight + held + dead + purged))
	check "$accepted $delivered $elsewhere" "$((n_runs + 1)) $((n_runs + 1)) 0" \
		"the ledger balances: $accepted accepted, $delivered delivered, \
$elsewhere elsewhere"
}

ending() {
	heading "SIGTERM: the senders finish what they have begun, and everything ends."
	end "$door" "the front door"
	door_code=$code
	news door
	end "$senders" "the senders"
	senders_code=$code
	news senders
	end "$main" "the receiver"
	main_code=$code
	news receiver
	end "$mended" "the mended receiver"
	news mended
	check "$door_code $senders_code" "0 0" \
		"the exit codes of front door and senders: $door_code and $senders_code"
	check "$main_code $code" "0 0" "the receivers' exit codes: $main_code and $code"
}

bash=$(command -v bash) || die 66 "there is no bash, which the demo sends requests with"
[ -r /proc/uptime ] || die 66 "/proc is not there; the demo looks there for its processes"
for program in runpost runpostctl runpost-sink; do
	[ -x "$bin/$program" ] || die 66 "there is no program $program beside this one, in $bin; \
build or install all of them: runpost, runpostctl and runpost-sink"
done
tmp=$(cd -P -- "${TMPDIR:-/tmp}" && pwd) || die 66 "cannot use the temporary folder ${TMPDIR:-/tmp}"
dir=$(mktemp -d "$tmp/runpost-demo-XXXXXX") || die 73 "cannot make a folder in $tmp"
mkfifo "$dir/pids" || {
	rmdir "$dir"
	die 74 "cannot make a FIFO in $tmp"
}
sweep <"$dir/pids" &
sweeper=$!
exec 9>"$dir/pids"
rm "$dir/pids"
trap 'stopped 2' INT
trap 'stopped 15' TERM
trap 'stopped 1' HUP
trap 'stopped 13' PIPE
clock
began_cs=$now_cs
load_runs
receivers
take_all
delivery
dead_letter
replay
screens
ending
finish
clock
tenths=$(((now_cs - began_cs) / 10))
printf '\ndemo: every step did what it says (%s.%s s)\n' $((tenths / 10)) $((tenths % 10))
