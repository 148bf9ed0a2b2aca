#compdef runpostctl
# zsh completion of runpostctl; `runpostctl completion zsh` prints it

# What a verb says of the outbox of this line.
_runpostctl_ask()
{
	local -a where
	local i
	for ((i = 2; i < $#words; i++)); do
		case $words[i] in
		--outbox|--config) where+=("$words[i]" "${(Q)words[i+1]}") ;;
		esac
	done
	"${(Q)words[1]}" $1 "$where[@]" 2>/dev/null </dev/null
}

_runpostctl_endpoints()
{
	local -a names
	names=(${(f)"$(_runpostctl_ask endpoints | cut -f1)"})
	compadd -a names
}

# Numbers of jobs, or of those in the state $1.
_runpostctl_jobs()
{
	local -a jobs
	local job verb state rest
	_runpostctl_ask jobs | while IFS=$'\t' read -r job verb state rest; do
		[[ $state == ${1-$state} ]] && jobs+=($job)
	done
	compadd -a jobs
}

_runpostctl_steer()
{
	local word
	for word in "${(@)words[3,CURRENT-1]}"; do
		case $word in
		list) return ;;
		show|pause|resume|cancel) _runpostctl_jobs; return ;;
		esac
	done
	compadd -- list show pause resume cancel
}

# The options of the verb $1.
_runpostctl_options()
{
	local -a described names narrow=(state endpoint run thread event cause attempts since until
		older-than)
	local -a pick=($narrow group limit) change=(dry-run yes reason)
	local states='waiting, in_flight, held, delivered, dead'
	local -a told=(
		'--outbox:the outbox; otherwise the one the configuration names'
		'--config:the configuration; otherwise /etc/runpost/runpost.conf if there is one'
		'--json:JSON, one object a line'
		'--no-color:no colours on a terminal either'
		'--help:this text'
		"--state:$states; or retrying: waiting after a failed attempt"
		"--endpoint:its name or URL; without a '/': its host"
		'--run:entries of this run'
		'--thread:entries whose run has this thread_id'
		'--event:entries whose run ended so: success, error, timeout, interrupted'
		'--cause:timeout, dns, http (any status), http_503, exhausted, ...'
		"--attempts:attempts so far: 3, '>=5', '>5', '<=2', '<2'"
		'--group:dead letters of this group of `runpostctl dead`'
		'--since:accepted at or after T: 2h (ago) or 2026-11-23T12:00:00Z'
		'--until:accepted before T'
		'--older-than:in its state for so long: 90s, 15m, 2h, 7d'
		'--limit:at most N entries, the oldest; 0: all'
		'--follow:go on with what comes; -f is the same'
		'--dry-run:say what would happen, change nothing'
		'--yes:do not ask before a change of many entries'
		'--plan:exactly the entries that --dry-run showed as plan N'
		'--rate:no faster than this: 50/s, 600/m, 1000/h'
		'--detach:leave it to the senders at once'
		'--reason:why, for the log of changes'
		'--backup:where the backup goes; otherwise DIR/purged/'
		'--no-backup:write none: what is purged is gone'
		'--textfile:write into FILE, whole or not at all, for node_exporter'
		'--check:for a monitor: nagios, json or prometheus'
		'--with-secrets:with the values of URL queries and headers'
		'--hold:hold what would be sent, until it is released'
		'--max-growth:give up when the outbox grows by more meanwhile; 1G; 0: never'
		'--full:recompute everything in one snapshot, when it is quiet'
		'--paths:every path, however many a host has'
	)
	case $1 in
	shape|list|show|explain|body|dead) names=($pick) ;;
	tail) names=($pick follow) ;;
	hold|release) names=($pick $change) ;;
	replay) names=($pick $change plan rate detach) ;;
	purge) names=($pick $change plan rate backup no-backup) ;;
	export) names=($pick with-secrets reason) ;;
	import) names=($narrow dry-run hold reason) ;;
	jobs|pause|resume) names=(reason) ;;
	backup) names=(max-growth reason) ;;
	metrics) names=(textfile) ;;
	doctor) names=(check) ;;
	verify) names=(full) ;;
	endpoints) names=(paths) ;;
	esac
	local name
	for name in $names outbox config json no-color help; do
		described+=("${(@M)told:#--$name:*}")
	done
	_describe -o option described
}

_runpostctl_verbs()
{
	local -a verbs=(
		'stats:Show what the outbox holds, who works on it, and what is wrong'
		'shape:Show whose backlog it is: entries by endpoint and age'
		'list:List entries, oldest first'
		'show:Show entries with their attempts'
		'explain:Say why entries are where they are, what holds them up and what comes next'
		'body:Print payloads, byte for byte'
		'tail:Show the last attempts, and with -f those that come'
		'top:Watch endpoints, senders and failures on the whole screen'
		'replay:Make entries due now, with a fresh retry budget and the same id'
		'purge:Remove entries for good'
		'hold:Keep back waiting entries until they are released'
		'release:Let held entries wait for a sender again'
		'jobs:Show replays and plans, and steer them'
		'audit:Show who changed what, when and why'
		'dead:Show the dead letters, grouped by what they died of'
		'endpoints:Show the endpoints and how they do'
		'pause:Stop sending to endpoints; their entries wait'
		'resume:Send to endpoints again, also after a 410'
		'metrics:Print counters for Prometheus'
		'doctor:Check store, senders, clock, disk, configuration and permissions'
		'export:Print entries as lines that import can bring back'
		'import:Bring exported entries back, or over from another outbox'
		'backup:Copy the outbox into a new directory, consistent and compact'
		'verify:Check everything the outbox can know about itself'
		'completion:Print a script that lets a shell complete verbs, options and endpoints'
	)
	_describe verb verbs
}

_runpostctl()
{
	case $words[CURRENT-1] in
	--state) compadd -- waiting in_flight held delivered dead retrying; return ;;
	--event) compadd -- success error timeout interrupted; return ;;
	--cause)
		compadd -- http timeout dns connect tls reset protocol blocked_address \
			blocked_scheme blocked_port gone expired exhausted damaged poison \
			sender_lost no_key bad_url local operator refused permanent \
			tls_expired tls_name tls_issuer tls_version tls_pin tls_client_cert \
			tls_timeout
		return ;;
	--check) compadd -- nagios json prometheus; return ;;
	--endpoint) _runpostctl_endpoints; return ;;
	--plan) _runpostctl_jobs planned; return ;;
	--config|--textfile|--backup) _files; return ;;
	--outbox) _files -/; return ;;
	--run|--thread|--attempts|--group|--since|--until|--older-than|--limit) return ;;
	--rate|--max-growth|--reason) return ;;
	esac
	if ((CURRENT == 2)); then
		_runpostctl_verbs
		return
	fi
	if [[ $words[CURRENT] == -* ]]; then
		_runpostctl_options $words[2]
		return
	fi
	case $words[2] in
	endpoints|pause|resume) _runpostctl_endpoints ;;
	jobs) _runpostctl_steer ;;
	import) _files ;;
	backup) _files -/ ;;
	completion) compadd -- bash zsh fish ;;
	esac
}

# loaded by its name from fpath, or read by source
if [[ $funcstack[1] == _runpostctl ]]; then
	_runpostctl "$@"
else
	compdef _runpostctl runpostctl
fi
