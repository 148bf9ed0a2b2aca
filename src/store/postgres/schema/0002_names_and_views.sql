-- 0002_names_and_views.sql - what makes the tables readable with psql: names of numbers, a comment
-- on every table and column, and three views for who supports users.
--
--   SELECT * FROM dead_by_cause;
--   SELECT * FROM endpoint_status WHERE host = 'https://example.com';
--   SELECT * FROM entry_timeline WHERE run_id = 'RUN' ORDER BY at;

-- --- names: those of the program (src/model), which a test holds them to ----------------------

CREATE TABLE state_name (number smallint PRIMARY KEY, name text NOT NULL UNIQUE);
INSERT INTO state_name (number, name) VALUES
    (1, 'waiting'),
    (2, 'in_flight'),
    (3, 'held'),
    (4, 'delivered'),
    (5, 'dead');
COMMENT ON TABLE state_name IS 'The states of an entry: delivery.state, job_entry.state.';
COMMENT ON COLUMN state_name.number IS 'as it is stored';
COMMENT ON COLUMN state_name.name IS 'as the programs show it';

CREATE TABLE cause_name (number smallint PRIMARY KEY, name text NOT NULL UNIQUE);
INSERT INTO cause_name (number, name) VALUES
    (1, 'http'),
    (2, 'timeout'),
    (3, 'dns'),
    (4, 'connect'),
    (5, 'tls'),
    (6, 'reset'),
    (7, 'protocol'),
    (8, 'blocked_address'),
    (9, 'blocked_scheme'),
    (10, 'blocked_port'),
    (11, 'gone'),
    (12, 'expired'),
    (13, 'exhausted'),
    (14, 'damaged'),
    (15, 'poison'),
    (16, 'sender_lost'),
    (17, 'no_key'),
    (18, 'bad_url'),
    (19, 'local'),
    (20, 'operator'),
    (21, 'refused'),
    (22, 'permanent'),
    (23, 'tls_expired'),
    (24, 'tls_name'),
    (25, 'tls_issuer'),
    (26, 'tls_version'),
    (27, 'tls_pin'),
    (28, 'tls_client_cert'),
    (29, 'tls_timeout');
COMMENT ON TABLE cause_name IS
    'What goes wrong: columns named cause, and those that end in _cause. 0: nothing did.';
COMMENT ON COLUMN cause_name.number IS 'as it is stored';
COMMENT ON COLUMN cause_name.name IS 'as the programs show it';

CREATE TABLE level_name (number smallint PRIMARY KEY, name text NOT NULL UNIQUE);
INSERT INTO level_name (number, name) VALUES
    (0, 'path'),
    (1, 'section'),
    (2, 'host');
COMMENT ON TABLE level_name IS 'The levels of an endpoint: endpoint.level.';
COMMENT ON COLUMN level_name.number IS 'as it is stored';
COMMENT ON COLUMN level_name.name IS 'as the programs show it';

CREATE TABLE breaker_name (number smallint PRIMARY KEY, name text NOT NULL UNIQUE);
INSERT INTO breaker_name (number, name) VALUES
    (0, 'closed'),
    (1, 'open'),
    (2, 'half_open');
COMMENT ON TABLE breaker_name IS 'The states of a breaker: endpoint.breaker.';
COMMENT ON COLUMN breaker_name.number IS 'as it is stored';
COMMENT ON COLUMN breaker_name.name IS 'as the programs show it';

CREATE TABLE job_verb_name (number smallint PRIMARY KEY, name text NOT NULL UNIQUE);
INSERT INTO job_verb_name (number, name) VALUES
    (1, 'replay'),
    (2, 'purge');
COMMENT ON TABLE job_verb_name IS 'What a job does: job.verb.';
COMMENT ON COLUMN job_verb_name.number IS 'as it is stored';
COMMENT ON COLUMN job_verb_name.name IS 'as the programs show it';

CREATE TABLE job_phase_name (number smallint PRIMARY KEY, name text NOT NULL UNIQUE);
INSERT INTO job_phase_name (number, name) VALUES
    (1, 'planning'),
    (2, 'planned'),
    (3, 'running'),
    (4, 'paused'),
    (5, 'done'),
    (6, 'cancelled'),
    (7, 'expired');
COMMENT ON TABLE job_phase_name IS 'How far a job is: job.phase.';
COMMENT ON COLUMN job_phase_name.number IS 'as it is stored';
COMMENT ON COLUMN job_phase_name.name IS 'as the programs show it';

CREATE TABLE outcome_class_name (number smallint PRIMARY KEY, name text NOT NULL UNIQUE);
INSERT INTO outcome_class_name (number, name) VALUES
    (0, '2xx'),
    (1, '3xx'),
    (2, '4xx'),
    (3, '429'),
    (4, '5xx'),
    (5, 'timeout'),
    (6, 'dns'),
    (7, 'connect'),
    (8, 'tls'),
    (9, 'reset'),
    (10, 'protocol'),
    (11, 'blocked'),
    (12, 'other');
COMMENT ON TABLE outcome_class_name IS 'The places of series.attempts, from 0.';
COMMENT ON COLUMN outcome_class_name.number IS 'as it is stored';
COMMENT ON COLUMN outcome_class_name.name IS 'as the programs show it';

-- --- how things are shown -----------------------------------------------------------------------

-- Times that nobody set (0, or beyond all calendars) are NULL.
CREATE FUNCTION time_of(ms bigint) RETURNS timestamptz LANGUAGE sql IMMUTABLE
    RETURN CASE WHEN ms > 0 AND ms < 253402300800000 THEN to_timestamp(ms / 1000.0) END;
COMMENT ON FUNCTION time_of IS 'A time in milliseconds since 1970 as a timestamp';

CREATE FUNCTION cause_text(cause integer, http_status integer) RETURNS text LANGUAGE sql STABLE
    RETURN CASE WHEN cause = 1 AND http_status > 0 THEN 'http_' || http_status
                WHEN cause <> 0 THEN (SELECT n.name FROM cause_name n WHERE n.number = cause)
                ELSE '' END;
COMMENT ON FUNCTION cause_text IS 'A cause as the programs show it: timeout, http_503';

-- Crockford's alphabet; 128 bits stand behind two zero bits.
CREATE FUNCTION id_text(id bytea) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN 'msg_' || (
        SELECT string_agg(
                   substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ',
                          substring(B'00' || ('x' || encode(id, 'hex'))::bit(128)
                                    FROM 5 * i + 1 FOR 5)::bit(5)::integer + 1, 1),
                   '' ORDER BY i)
        FROM generate_series(0, 25) AS i);
COMMENT ON FUNCTION id_text IS 'The id of an entry as the receiver sees it';

CREATE VIEW dead_by_cause AS
    SELECT g.entries, cause_text(g.cause, 0) AS cause,
           cause_text(g.last_cause, g.http_status) AS last_outcome, h.name AS host,
           p.name AS endpoint, time_of(g.first_ms) AS first_at, time_of(g.last_ms) AS last_at
    FROM (SELECT d.endpoint, d.cause, d.last_cause,
                 CASE WHEN d.last_cause = 1 THEN d.http_status ELSE 0 END AS http_status,
                 count(*) AS entries, min(d.state_at_ms) AS first_ms, max(d.state_at_ms) AS last_ms
          FROM delivery d WHERE d.state = 5 GROUP BY 1, 2, 3, 4) g
    LEFT JOIN endpoint p ON p.id = g.endpoint
    LEFT JOIN endpoint h ON h.id = g.endpoint >> 32 << 32
    ORDER BY g.entries DESC, g.endpoint, g.cause, g.last_cause, g.http_status;
COMMENT ON VIEW dead_by_cause IS
    'Entries that were given up, by why, by what came of their last attempt, and by endpoint';

CREATE VIEW endpoint_status AS
    SELECT h.name AS host, l.name AS level, e.name, e.paused, e.disabled, b.name AS breaker,
           e.waiting, e.in_flight, e.held, e.delivered, e.dead,
           CASE WHEN e.window_permille > 0 THEN e.window_permille / 1000.0 END
               AS requests_at_a_time,
           e.limit_in_flight, e.limit_rate_count, e.limit_rate_period_ms,
           e.streak AS failures_in_a_row,
           cause_text(e.last_cause, e.last_status) AS last_outcome,
           time_of(e.last_success_at_ms) AS last_success_at,
           time_of(e.last_failure_at_ms) AS last_failure_at,
           time_of(e.first_due_at_ms) AS next_due_at,
           CASE WHEN e.breaker <> 0 THEN time_of(e.opened_at_ms) END AS opened_at,
           CASE WHEN e.breaker <> 0 THEN time_of(e.probe_at_ms) END AS probe_at,
           time_of(e.parked_until_ms) AS parked_until,
           time_of(e.changed_at_ms) AS paused_or_disabled_at, e.id
    FROM endpoint e
    LEFT JOIN endpoint h ON h.id = e.id >> 32 << 32
    LEFT JOIN level_name l ON l.number = e.level
    LEFT JOIN breaker_name b ON b.number = e.breaker
    ORDER BY e.id;
COMMENT ON VIEW endpoint_status IS
    'How each host, and behind it its sections and paths, is doing';

CREATE VIEW entry_timeline AS
    SELECT e.seq, id_text(e.id) AS id, e.run_id, e.url, time_of(t.at_ms) AS at, t.what, t.attempt,
           t.outcome, t.duration_ms, t.detail
    FROM entry e
    CROSS JOIN LATERAL (
        SELECT e.accepted_at_ms AS at_ms, 'accepted' AS what, NULL::bigint AS attempt,
               '' AS outcome, NULL::bigint AS duration_ms, e.event AS detail
        UNION ALL
        SELECT a.started_at_ms, 'attempt', a.n,
               CASE WHEN a.cause = 0 THEN 'delivered' ELSE cause_text(a.cause, a.http_status) END,
               a.duration_us / 1000,
               CASE WHEN a.late THEN 'late: its claim had been lost; ' ELSE '' END || a.detail
        FROM attempt a WHERE a.seq = e.seq
        UNION ALL
        SELECT d.state_at_ms, s.name, NULL, cause_text(d.cause, d.http_status), NULL,
               CASE WHEN d.behind THEN 'another one of its order goes first'
                    WHEN d.state = 1 THEN 'due at ' || time_of(d.due_at_ms)
                    ELSE '' END
        FROM delivery d LEFT JOIN state_name s ON s.number = d.state WHERE d.seq = e.seq) t;
COMMENT ON VIEW entry_timeline IS
    'What became of an entry: its acceptance, each attempt, and where it stands now. '
    'Ask by seq or run_id, and order by at';

-- --- comments -----------------------------------------------------------------------------

COMMENT ON TABLE entry IS
    'A webhook as it was accepted. Written once, removed when its time is over or by purge.';
COMMENT ON COLUMN entry.seq IS 'its number; ascending in the order of acceptance by one server';
COMMENT ON COLUMN entry.id IS 'its id, 16 bytes; id_text() shows it as the receiver sees it';
COMMENT ON COLUMN entry.endpoint IS 'the path that it goes to';
COMMENT ON COLUMN entry.accepted_at_ms IS 'when it was accepted';
COMMENT ON COLUMN entry.not_before_at_ms IS 'it is not sent before; 0: at once';
COMMENT ON COLUMN entry.expires_at_ms IS 'it is given up then; 0: never';
COMMENT ON COLUMN entry.payload_bytes IS 'how long the payload is';
COMMENT ON COLUMN entry.payload_hash IS
    'XXH3 of the payload, as the signed number of the same bits';
COMMENT ON COLUMN entry.url IS 'where it is sent, with \xHH for bytes that are no text';
COMMENT ON COLUMN entry.run_id IS 'of the run that it tells about; empty: none';
COMMENT ON COLUMN entry.thread_id IS 'the thread of the run';
COMMENT ON COLUMN entry.event IS 'the status of the run';
COMMENT ON COLUMN entry.operation IS 'what the run did, as its source says';
COMMENT ON COLUMN entry.order_by IS
    'entries with the same one are sent one after the other; empty: in any order';
COMMENT ON COLUMN entry.headers IS 'more headers of the request, one a line';
COMMENT ON COLUMN entry.dedupe_key IS 'a second entry with it is the same webhook';
COMMENT ON COLUMN entry.payload IS 'the body of the request';

COMMENT ON TABLE delivery IS 'Where an entry stands: the part that changes.';
COMMENT ON COLUMN delivery.seq IS 'the entry';
COMMENT ON COLUMN delivery.endpoint IS 'the path that it goes to';
COMMENT ON COLUMN delivery.state IS 'see state_name';
COMMENT ON COLUMN delivery.cause IS
    'why it is dead; of a waiting one that of the last attempt. See cause_name';
COMMENT ON COLUMN delivery.last_cause IS 'of the last attempt that was settled; see cause_name';
COMMENT ON COLUMN delivery.http_status IS 'of the last attempt that was settled; 0: none came';
COMMENT ON COLUMN delivery.slot IS 'the sender that has it in flight';
COMMENT ON COLUMN delivery.failures IS 'failed attempts of the current retry budget';
COMMENT ON COLUMN delivery.losses IS 'attempts in a row whose sender died';
COMMENT ON COLUMN delivery.replays IS 'how often an operator had it sent again';
COMMENT ON COLUMN delivery.attempts IS 'attempts ever begun';
COMMENT ON COLUMN delivery.claim_no IS 'grows with every claim: a result of an older one is late';
COMMENT ON COLUMN delivery.due_at_ms IS 'waiting: when its next attempt is due';
COMMENT ON COLUMN delivery.state_at_ms IS 'when it entered its state';
COMMENT ON COLUMN delivery.budget_at_ms IS
    'when the current retry budget began: at the acceptance or a replay';
COMMENT ON COLUMN delivery.expires_at_ms IS 'it is given up then; 0: never';
COMMENT ON COLUMN delivery.order_key IS 'hash of order_by; 0: it has none';
COMMENT ON COLUMN delivery.behind IS 'waiting or held, and another one of its order goes first';
COMMENT ON COLUMN delivery.lacks IS 'in flight: levels on which it waits for a place, a bit each';
COMMENT ON COLUMN delivery.not_before_at_ms IS 'it is not sent before; 0: at once';

COMMENT ON TABLE attempt IS 'What came of each attempt.';
COMMENT ON COLUMN attempt.seq IS 'the entry';
COMMENT ON COLUMN attempt.n IS 'the number of the attempt, from 1';
COMMENT ON COLUMN attempt.cause IS '0: delivered; else see cause_name';
COMMENT ON COLUMN attempt.late IS 'its claim had been lost when the result came';
COMMENT ON COLUMN attempt.http_version IS '10, 11 or 20; 0: unknown';
COMMENT ON COLUMN attempt.http_status IS 'of the response; 0: none came';
COMMENT ON COLUMN attempt.slot IS 'the sender';
COMMENT ON COLUMN attempt.pid IS 'the process of the sender';
COMMENT ON COLUMN attempt.started_at_ms IS 'when the request began';
COMMENT ON COLUMN attempt.duration_us IS 'how long it took';
COMMENT ON COLUMN attempt.dns_us IS 'since its start, until the name was resolved; 0: not reached';
COMMENT ON COLUMN attempt.connect_us IS 'until it was connected; 0: not reached';
COMMENT ON COLUMN attempt.tls_us IS 'until TLS was agreed; 0: not reached';
COMMENT ON COLUMN attempt.first_byte_us IS 'until the first byte of the response; 0: not reached';
COMMENT ON COLUMN attempt.retry_after_ms IS 'what the response asked for; 0: nothing';
COMMENT ON COLUMN attempt.peer IS 'address and port';
COMMENT ON COLUMN attempt.detail IS 'what went wrong, in words';
COMMENT ON COLUMN attempt.response IS 'the first bytes of the response';

COMMENT ON TABLE endpoint IS
    'A path of a host, a section of the configuration on a host, or a host, with its limits '
    'and counters. A number has that of its host in the upper 32 bits. The row of a host is '
    'the lock of everything under it.';
COMMENT ON COLUMN endpoint.id IS 'its number';
COMMENT ON COLUMN endpoint.name IS
    'the URL without its query, the name of the section, or scheme, host and port';
COMMENT ON COLUMN endpoint.name_hash IS 'first 16 bytes of the SHA-256 of its name';
COMMENT ON COLUMN endpoint.level IS 'see level_name';
COMMENT ON COLUMN endpoint.queue IS 'the ready queue that it is in';
COMMENT ON COLUMN endpoint.ready_at_ms IS 'its place in that queue; NULL: it is not in it';
COMMENT ON COLUMN endpoint.first_due_at_ms IS
    'of a path: no entry that waits in front is due before; NULL: none waits';
COMMENT ON COLUMN endpoint.section IS 'of a path: the section that it is in; 0: none';
COMMENT ON COLUMN endpoint.members IS 'of a section: its paths; of a host: its paths and sections';
COMMENT ON COLUMN endpoint.n_paths IS 'of a host: how many paths it ever had';
COMMENT ON COLUMN endpoint.clears IS 'of a host: how often a series of bad outcomes has ended';
COMMENT ON COLUMN endpoint.bad_at IS
    'of a path: the clears of its host, plus 1, when it was last counted as bad';
COMMENT ON COLUMN endpoint.in_proven IS
    'of a host: in which of the two ready queues of hosts it stands';
COMMENT ON COLUMN endpoint.paused IS 'by an operator';
COMMENT ON COLUMN endpoint.disabled IS 'by the receiver, which answered 410';
COMMENT ON COLUMN endpoint.last_cause IS 'of its last outcome; see cause_name';
COMMENT ON COLUMN endpoint.last_status IS 'HTTP status of its last outcome';
COMMENT ON COLUMN endpoint.streak IS 'failures since the last success';
COMMENT ON COLUMN endpoint.served_at_ms IS 'when something was last claimed from it';
COMMENT ON COLUMN endpoint.parked_until_ms IS
    'nothing is claimed before: our side lacks something; 0: not parked';
COMMENT ON COLUMN endpoint.changed_at_ms IS 'when paused or disabled changed';
COMMENT ON COLUMN endpoint.last_success_at_ms IS 'when it last took a webhook';
COMMENT ON COLUMN endpoint.last_failure_at_ms IS 'when an attempt last failed';
COMMENT ON COLUMN endpoint.limit_in_flight IS 'the most requests at a time; 0: to be asked for';
COMMENT ON COLUMN endpoint.limit_start IS 'the window that it begins with, or begins again with';
COMMENT ON COLUMN endpoint.limit_rate_count IS
    'so many requests in limit_rate_period_ms; 0: no limit';
COMMENT ON COLUMN endpoint.limit_rate_period_ms IS 'see limit_rate_count';
COMMENT ON COLUMN endpoint.limit_breaker IS 'whether bad outcomes stop the sending for a while';
COMMENT ON COLUMN endpoint.window_permille IS
    'requests at a time that it seems to bear, in thousandths';
COMMENT ON COLUMN endpoint.congested IS
    'something bad came since the window began: it grows slowly';
COMMENT ON COLUMN endpoint.breaker IS 'see breaker_name';
COMMENT ON COLUMN endpoint.bad_streak IS 'bad outcomes in a row';
COMMENT ON COLUMN endpoint.recent IS 'outcomes of the last while that count';
COMMENT ON COLUMN endpoint.recent_bad IS 'the bad ones of these';
COMMENT ON COLUMN endpoint.recent_at_ms IS 'when these two were last halved';
COMMENT ON COLUMN endpoint.pauses IS 'times that the breaker opened in a row';
COMMENT ON COLUMN endpoint.breaker_cause IS 'what opened the breaker; see cause_name';
COMMENT ON COLUMN endpoint.breaker_status IS 'the HTTP status that opened the breaker';
COMMENT ON COLUMN endpoint.opened_at_ms IS 'when the breaker opened';
COMMENT ON COLUMN endpoint.probe_at_ms IS 'when an open breaker lets one request through';
COMMENT ON COLUMN endpoint.full_at_us IS
    'when the bucket of its rate is full again, in microseconds';
COMMENT ON COLUMN endpoint.waiting IS 'entries of it that wait';
COMMENT ON COLUMN endpoint.in_flight IS 'entries of it that are in flight';
COMMENT ON COLUMN endpoint.held IS 'entries of it that are held';
COMMENT ON COLUMN endpoint.delivered IS 'entries of it that are delivered and not yet removed';
COMMENT ON COLUMN endpoint.dead IS 'entries of it that are dead and not yet removed';
COMMENT ON COLUMN endpoint.lacking_path IS 'of those in flight: without a place at their path';
COMMENT ON COLUMN endpoint.lacking_section IS
    'of those in flight: without a place in their section';
COMMENT ON COLUMN endpoint.lacking_host IS 'of those in flight: without a place at their host';

COMMENT ON TABLE job IS 'Work that an operator has ordered for a set of entries.';
COMMENT ON COLUMN job.number IS 'its number';
COMMENT ON COLUMN job.verb IS 'see job_verb_name';
COMMENT ON COLUMN job.phase IS 'see job_phase_name';
COMMENT ON COLUMN job.uid IS 'of who ordered it';
COMMENT ON COLUMN job.rate_count IS 'so many entries in rate_period_ms; 0: as fast as it goes';
COMMENT ON COLUMN job.rate_period_ms IS 'see rate_count';
COMMENT ON COLUMN job.created_at_ms IS 'when it was planned';
COMMENT ON COLUMN job.started_at_ms IS 'when it was started; 0: not yet';
COMMENT ON COLUMN job.ended_at_ms IS 'when it ended; 0: not yet';
COMMENT ON COLUMN job.expires_at_ms IS 'a plan that was not started by then ends';
COMMENT ON COLUMN job.moved_at_ms IS 'when it last did something';
COMMENT ON COLUMN job.next_at_us IS 'with a rate: when the next entry may go, in microseconds';
COMMENT ON COLUMN job.lane IS 'the endpoint whose turn is next';
COMMENT ON COLUMN job.audit IS 'its row in audit; 0: none yet';
COMMENT ON COLUMN job.planned IS 'entries of its set';
COMMENT ON COLUMN job.done IS 'entries that it has worked through';
COMMENT ON COLUMN job.done_in_flight IS 'of these: purged while an attempt may have been under way';
COMMENT ON COLUMN job.skipped_in_flight IS 'passed over: a sender had them';
COMMENT ON COLUMN job.skipped_changed IS 'passed over: they were not as planned any more';
COMMENT ON COLUMN job.skipped_gone IS 'passed over: they had been removed';
COMMENT ON COLUMN job.skipped_state IS
    'passed over: the verb is not for the state that they were in';
COMMENT ON COLUMN job.user_name IS 'who ordered it';
COMMENT ON COLUMN job.selector IS 'what was asked for';
COMMENT ON COLUMN job.reason IS 'why, in words';

COMMENT ON TABLE job_entry IS 'What is left of the set of a job.';
COMMENT ON COLUMN job_entry.job IS 'the job';
COMMENT ON COLUMN job_entry.endpoint IS 'the path of the entry';
COMMENT ON COLUMN job_entry.seq IS 'the entry';
COMMENT ON COLUMN job_entry.state IS 'as planned; see state_name';
COMMENT ON COLUMN job_entry.claim_no IS 'as planned';
COMMENT ON COLUMN job_entry.replays IS 'as planned';

COMMENT ON TABLE audit IS 'Who changed what. Rows are added, and their counts grow.';
COMMENT ON COLUMN audit.number IS 'its number';
COMMENT ON COLUMN audit.uid IS 'of the user';
COMMENT ON COLUMN audit.at_ms IS 'when it was begun';
COMMENT ON COLUMN audit.job IS 'the job that does it; 0: none';
COMMENT ON COLUMN audit.done IS 'entries that were changed';
COMMENT ON COLUMN audit.skipped IS 'entries that were passed over';
COMMENT ON COLUMN audit.verb IS 'what was done';
COMMENT ON COLUMN audit.user_name IS 'who did it';
COMMENT ON COLUMN audit.what IS 'to what';
COMMENT ON COLUMN audit.reason IS 'why, in words';

COMMENT ON TABLE sender IS 'A sender, by its slot.';
COMMENT ON COLUMN sender.slot IS 'its number, which claims and attempts name';
COMMENT ON COLUMN sender.incarnation IS 'random, of this sender in this slot';
COMMENT ON COLUMN sender.liveness IS 'key of the advisory lock that its session holds';
COMMENT ON COLUMN sender.host IS 'name and boot of its machine, and its PID namespace';
COMMENT ON COLUMN sender.pid IS 'its process';
COMMENT ON COLUMN sender.pid_started IS
    'when the process began, as /proc/PID/stat says: a PID is given again';
COMMENT ON COLUMN sender.started_at_ms IS 'when it joined';
COMMENT ON COLUMN sender.beat_at_ms IS 'when it was last heard of, by the clock of the database';
COMMENT ON COLUMN sender.beat_boot_ms IS 'the same by its own machine, since that was started';
COMMENT ON COLUMN sender.ended IS 'it said so itself';
COMMENT ON COLUMN sender.sleeps IS 'it waits to be woken';
COMMENT ON COLUMN sender.clock_known IS 'the four below are filled';
COMMENT ON COLUMN sender.wall_less_boot_ms IS
    'its clock, less the time since its machine was started';
COMMENT ON COLUMN sender.clock_seen_ms IS 'when its clock was looked at';
COMMENT ON COLUMN sender.clock_step_ms IS 'by how much its clock last jumped';
COMMENT ON COLUMN sender.clock_step_boot_ms IS 'when that was, since its machine was started';

COMMENT ON TABLE writer IS
    'What each handle that writes has changed in the ledger and the counters. Their sums are '
    'those of the outbox; a single number may be negative.';
COMMENT ON COLUMN writer.number IS 'of the row; a handle holds it by an advisory lock';
COMMENT ON COLUMN writer.accepted IS 'entries ever accepted';
COMMENT ON COLUMN writer.waiting IS 'entries that wait';
COMMENT ON COLUMN writer.in_flight IS 'entries in flight';
COMMENT ON COLUMN writer.held IS 'entries that are held';
COMMENT ON COLUMN writer.delivered IS 'entries that are delivered and not yet removed';
COMMENT ON COLUMN writer.dead IS 'entries that are dead and not yet removed';
COMMENT ON COLUMN writer.purged IS 'entries that were removed';
COMMENT ON COLUMN writer.retrying IS 'of the waiting: with an attempt behind them';
COMMENT ON COLUMN writer.commits IS 'transactions of writers';
COMMENT ON COLUMN writer.latest_at_ms IS 'the latest time of a writer';
COMMENT ON COLUMN writer.duplicates IS 'entries that had been accepted before';
COMMENT ON COLUMN writer.replayed IS 'replays';
COMMENT ON COLUMN writer.claims_lost IS 'claims that came back because their sender had gone';
COMMENT ON COLUMN writer.last_append_at_ms IS 'when something was last accepted';
COMMENT ON COLUMN writer.last_delivery_at_ms IS 'when something was last delivered';
COMMENT ON COLUMN writer.retries IS 'failed attempts that are tried again, by cause';
COMMENT ON COLUMN writer.died IS 'entries that were given up, by cause';
COMMENT ON COLUMN writer.sender_commits IS
    'how long commits of senders took: the sum in microseconds, then the buckets';
COMMENT ON COLUMN writer.other_commits IS 'how long other commits took, likewise';
COMMENT ON COLUMN writer.attempts IS 'how long attempts took, likewise';
COMMENT ON COLUMN writer.latency IS 'from when an entry was first due to its delivery, likewise';
COMMENT ON COLUMN writer.minutes IS
    'work of the last minutes: minute since 1970, accepted, delivered, failed; and again';

COMMENT ON TABLE series IS 'Attempts by section of the configuration, for metrics; see writer.';
COMMENT ON COLUMN series.writer IS 'the row of writer';
COMMENT ON COLUMN series.name IS 'the section';
COMMENT ON COLUMN series.attempts IS 'by what came of them, in the order of outcome_class_name';

COMMENT ON TABLE recent IS 'The attempts that were settled last.';
COMMENT ON COLUMN recent.number IS 'ascending; there are gaps';
COMMENT ON COLUMN recent.xid IS
    'the transaction: who reads on does not pass one that is not committed yet';
COMMENT ON COLUMN recent.settled_at_ms IS 'when it was settled';
COMMENT ON COLUMN recent.seq IS 'the entry';
COMMENT ON COLUMN recent.endpoint IS 'its path';
COMMENT ON COLUMN recent.attempt IS 'the number of the attempt';
COMMENT ON COLUMN recent.cause IS '0: delivered; else see cause_name';
COMMENT ON COLUMN recent.late IS 'its claim had been lost when the result came';
COMMENT ON COLUMN recent.http_status IS 'of the response; 0: none came';
COMMENT ON COLUMN recent.slot IS 'the sender';
COMMENT ON COLUMN recent.duration_ms IS 'how long it took';

COMMENT ON TABLE migration IS
    'The migrations that were applied. A program works with a schema whose last number is '
    'the one that it knows.';
COMMENT ON COLUMN migration.number IS 'its number';
COMMENT ON COLUMN migration.name IS 'its name';
COMMENT ON COLUMN migration.applied_at IS 'when it was applied';
