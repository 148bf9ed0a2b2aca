# fish completion of runpostctl; `runpostctl completion fish` prints it

# Whether the verb is one of these; it is the second word, and a word like it may follow.
function __runpostctl_verb_is
	set -l typed (commandline -opc)
	test (count $typed) -ge 2; and contains -- "$typed[2]" $argv
end

# What a verb says of the outbox of this line.
function __runpostctl_ask
	set -l typed (commandline -opc)
	set -l where
	for i in (seq 2 (math (count $typed) - 1))
		if contains -- $typed[$i] --outbox --config
			set -a where $typed[$i] $typed[(math $i + 1)]
		end
	end
	$typed[1] $argv[1] $where 2>/dev/null </dev/null
end

function __runpostctl_endpoints
	__runpostctl_ask endpoints | cut -f1
end

# Numbers of jobs, or of those in the state $argv[1].
function __runpostctl_jobs
	__runpostctl_ask jobs | while read -l -d \t job verb state rest
		if test -z "$argv[1]"; or test "$state" = "$argv[1]"
			echo $job
		end
	end
end

function __runpostctl_steer
	set -l typed (commandline -opc)
	for i in (seq 3 (count $typed))
		switch $typed[$i]
			case list
				return
			case show pause resume cancel
				__runpostctl_jobs
				return
		end
	end
	printf '%s\n' list show pause resume cancel
end

complete -c runpostctl -f

function __runpostctl_verb
	complete -c runpostctl -n __fish_use_subcommand -a $argv[1] -d $argv[2]
end

# What stands behind these verbs; the rest are arguments of complete.
function __runpostctl_of
	complete -c runpostctl -n "__runpostctl_verb_is $argv[1]" $argv[2..-1]
end

set -l verbs stats shape list show explain body tail top replay purge hold release jobs audit \
	dead endpoints pause resume metrics doctor export import backup verify completion
# these take ids and filters
set -l pick shape list show explain body tail replay purge hold release dead export
set -l causes http timeout dns connect tls reset protocol blocked_address blocked_scheme \
	blocked_port gone expired exhausted damaged poison sender_lost no_key bad_url local \
	operator refused permanent tls_expired tls_name tls_issuer tls_version tls_pin \
	tls_client_cert tls_timeout

__runpostctl_verb stats 'Show what the outbox holds, who works on it, and what is wrong'
__runpostctl_verb shape 'Show whose backlog it is: entries by endpoint and age'
__runpostctl_verb list 'List entries, oldest first'
__runpostctl_verb show 'Show entries with their attempts'
__runpostctl_verb explain \
	'Say why entries are where they are, what holds them up and what comes next'
__runpostctl_verb body 'Print payloads, byte for byte'
__runpostctl_verb tail 'Show the last attempts, and with -f those that come'
__runpostctl_verb top 'Watch endpoints, senders and failures on the whole screen'
__runpostctl_verb replay 'Make entries due now, with a fresh retry budget and the same id'
__runpostctl_verb purge 'Remove entries for good'
__runpostctl_verb hold 'Keep back waiting entries until they are released'
__runpostctl_verb release 'Let held entries wait for a sender again'
__runpostctl_verb jobs 'Show replays and plans, and steer them'
__runpostctl_verb audit 'Show who changed what, when and why'
__runpostctl_verb dead 'Show the dead letters, grouped by what they died of'
__runpostctl_verb endpoints 'Show the endpoints and how they do'
__runpostctl_verb pause 'Stop sending to endpoints; their entries wait'
__runpostctl_verb resume 'Send to endpoints again, also after a 410'
__runpostctl_verb metrics 'Print counters for Prometheus'
__runpostctl_verb doctor 'Check store, senders, clock, disk, configuration and permissions'
__runpostctl_verb export 'Print entries as lines that import can bring back'
__runpostctl_verb import 'Bring exported entries back, or over from another outbox'
__runpostctl_verb backup 'Copy the outbox into a new directory, consistent and compact'
__runpostctl_verb verify 'Check everything the outbox can know about itself'
__runpostctl_verb completion \
	'Print a script that lets a shell complete verbs, options and endpoints'

__runpostctl_of 'endpoints pause resume' -x -a '(__runpostctl_endpoints)'
__runpostctl_of jobs -x -a '(__runpostctl_steer)'
__runpostctl_of import -r -F
__runpostctl_of backup -x -a '(__fish_complete_directories)'
__runpostctl_of completion -x -a 'bash zsh fish'

__runpostctl_of "$verbs" -l outbox -x -a '(__fish_complete_directories)' \
	-d 'the outbox; otherwise the one the configuration names'
__runpostctl_of "$verbs" -l config -r -F \
	-d 'the configuration; otherwise /etc/runpost/runpost.conf if there is one'
__runpostctl_of "$verbs" -l json -d 'JSON, one object a line'
__runpostctl_of "$verbs" -l no-color -d 'no colours on a terminal either'
__runpostctl_of "$verbs" -l help -d 'this text'
__runpostctl_of "$pick import" -l state -x -a 'waiting in_flight held delivered dead retrying' \
	-d 'waiting, in_flight, held, delivered, dead; or retrying: waiting after a failed attempt'
__runpostctl_of "$pick import" -l endpoint -x -a '(__runpostctl_endpoints)' \
	-d "its name or URL; without a '/': its host"
__runpostctl_of "$pick import" -l run -x -d 'entries of this run'
__runpostctl_of "$pick import" -l thread -x -d 'entries whose run has this thread_id'
__runpostctl_of "$pick import" -l event -x -a 'success error timeout interrupted' \
	-d 'entries whose run ended so: success, error, timeout, interrupted'
__runpostctl_of "$pick import" -l cause -x -a "$causes" \
	-d 'timeout, dns, http (any status), http_503, exhausted, ...'
__runpostctl_of "$pick import" -l attempts -x -d "attempts so far: 3, '>=5', '>5', '<=2', '<2'"
__runpostctl_of "$pick" -l group -x -d 'dead letters of this group of `runpostctl dead`'
__runpostctl_of "$pick import" -l since -x \
	-d 'accepted at or after T: 2h (ago) or 2026-11-23T12:00:00Z'
__runpostctl_of "$pick import" -l until -x -d 'accepted before T'
__runpostctl_of "$pick import" -l older-than -x -d 'in its state for so long: 90s, 15m, 2h, 7d'
__runpostctl_of "$pick" -l limit -x -d 'at most N entries, the oldest; 0: all'
__runpostctl_of tail -l follow -d 'go on with what comes; -f is the same'
__runpostctl_of 'replay purge hold release import' -l dry-run \
	-d 'say what would happen, change nothing'
__runpostctl_of 'replay purge hold release' -l yes -d 'do not ask before a change of many entries'
__runpostctl_of 'replay purge' -l plan -x -a '(__runpostctl_jobs planned)' \
	-d 'exactly the entries that --dry-run showed as plan N'
__runpostctl_of 'replay purge' -l rate -x -d 'no faster than this: 50/s, 600/m, 1000/h'
__runpostctl_of replay -l detach -d 'leave it to the senders at once'
__runpostctl_of 'replay purge hold release jobs pause resume export import backup' -l reason -x \
	-d 'why, for the log of changes'
__runpostctl_of purge -l backup -r -F -d 'where the backup goes; otherwise DIR/purged/'
__runpostctl_of purge -l no-backup -d 'write none: what is purged is gone'
__runpostctl_of metrics -l textfile -r -F \
	-d 'write into FILE, whole or not at all, for node_exporter'
__runpostctl_of doctor -l check -x -a 'nagios json prometheus' \
	-d 'for a monitor: nagios, json or prometheus'
__runpostctl_of export -l with-secrets -d 'with the values of URL queries and headers'
__runpostctl_of import -l hold -d 'hold what would be sent, until it is released'
__runpostctl_of backup -l max-growth -x \
	-d 'give up when the outbox grows by more meanwhile; 1G; 0: never'
__runpostctl_of endpoints -l paths -d 'every path, however many a host has'
__runpostctl_of verify -l full -d 'recompute everything in one snapshot, when it is quiet'
