# bash completion of runpostctl; `runpostctl completion bash` prints it

# Offers those of its arguments that begin with what is typed.
_runpostctl_words()
{
	local word
	for word in "$@"; do
		[[ $word == "$cur"* ]] && COMPREPLY+=("$word")
	done
}

# What a verb says of the outbox of this line.
_runpostctl_ask()
{
	local i where=()
	for ((i = 1; i + 1 < ${#typed[@]}; i++)); do
		[[ ${typed[i]} == --outbox || ${typed[i]} == --config ]] &&
			where+=("${typed[i]}" "${typed[i + 1]}")
	done
	"${typed[0]}" "$1" "${where[@]}" 2>/dev/null </dev/null
}

# Names are text of others: they are never expanded, and inserted quoted.
_runpostctl_endpoints()
{
	local name rest quoted
	while IFS=$'\t' read -r name rest; do
		printf -v quoted %q "$name"
		[[ $quoted == "$cur"* || $name == "$cur"* ]] && COMPREPLY+=("$quoted")
	done < <(_runpostctl_ask endpoints)
}

# Numbers of jobs, or of those in the state $1.
_runpostctl_jobs()
{
	local job verb state rest
	while IFS=$'\t' read -r job verb state rest; do
		[[ $job == "$cur"* && $state == "${1-$state}" ]] && COMPREPLY+=("$job")
	done < <(_runpostctl_ask jobs)
}

_runpostctl_steer()
{
	local word
	for word in "${typed[@]:2}"; do
		case $word in
		list) return ;;
		show|pause|resume|cancel) _runpostctl_jobs; return ;;
		esac
	done
	_runpostctl_words list show pause resume cancel
}

_runpostctl_paths()
{
	compopt -o filenames
	mapfile -t COMPREPLY < <(compgen "$1" -- "$cur")
}

# The options of the verb $1.
_runpostctl_options()
{
	local -a names=() change=(--dry-run --yes --reason)
	local -a narrow=(--state --endpoint --run --thread --event --cause --attempts --since
		--until --older-than)
	local -a pick=("${narrow[@]}" --group --limit)
	case $1 in
	shape|list|show|explain|body|dead) names=("${pick[@]}") ;;
	tail) names=("${pick[@]}" --follow) ;;
	hold|release) names=("${pick[@]}" "${change[@]}") ;;
	replay) names=("${pick[@]}" "${change[@]}" --plan --rate --detach) ;;
	purge) names=("${pick[@]}" "${change[@]}" --plan --rate --backup --no-backup) ;;
	export) names=("${pick[@]}" --with-secrets --reason) ;;
	import) names=("${narrow[@]}" --dry-run --hold --reason) ;;
	jobs|pause|resume) names=(--reason) ;;
	endpoints) names=(--paths) ;;
	backup) names=(--max-growth --reason) ;;
	metrics) names=(--textfile) ;;
	doctor) names=(--check) ;;
	verify) names=(--full) ;;
	esac
	_runpostctl_words "${names[@]}" --outbox --config --json --no-color --help
}

_runpostctl_reply()
{
	case ${typed[-1]} in
	--state) _runpostctl_words waiting in_flight held delivered dead retrying; return ;;
	--event) _runpostctl_words success error timeout interrupted; return ;;
	--cause)
		_runpostctl_words http timeout dns connect tls reset protocol blocked_address \
			blocked_scheme blocked_port gone expired exhausted damaged poison \
			sender_lost no_key bad_url local operator refused permanent \
			tls_expired tls_name tls_issuer tls_version tls_pin tls_client_cert \
			tls_timeout
		return ;;
	--check) _runpostctl_words nagios json prometheus; return ;;
	--endpoint) _runpostctl_endpoints; return ;;
	--plan) _runpostctl_jobs planned; return ;;
	--config|--textfile|--backup) _runpostctl_paths -f; return ;;
	--outbox) _runpostctl_paths -d; return ;;
	--run|--thread|--attempts|--group|--since|--until|--older-than|--limit) return ;;
	--rate|--max-growth|--reason) return ;;
	esac
	if [[ ${#typed[@]} -eq 1 ]]; then
		_runpostctl_words stats shape list show explain body tail top replay purge hold \
			release jobs audit dead endpoints pause resume metrics doctor export \
			import backup verify completion \
			--help --version
		return
	fi
	if [[ $cur == -* ]]; then
		_runpostctl_options "${typed[1]}"
		return
	fi
	case ${typed[1]} in
	endpoints|pause|resume) _runpostctl_endpoints ;;
	jobs) _runpostctl_steer ;;
	import) _runpostctl_paths -f ;;
	backup) _runpostctl_paths -d ;;
	completion) _runpostctl_words bash zsh fish ;;
	esac
}

_runpostctl()
{
	# bash would cut URLs at their colons: the words are found anew, and what stands before the
	# last colon of the present one is not offered again
	local line=${COMP_LINE:0:COMP_POINT} cur before
	local -a typed
	read -ra typed <<<"$line"
	cur=
	[[ $line == *[[:space:]] ]] || { cur=${typed[-1]}; unset 'typed[-1]'; }
	COMPREPLY=()
	_runpostctl_reply
	[[ $cur == *:* && $COMP_WORDBREAKS == *:* ]] || return 0
	before=${cur%"${cur##*:}"}
	COMPREPLY=("${COMPREPLY[@]#"$before"}")
}
complete -F _runpostctl runpostctl
