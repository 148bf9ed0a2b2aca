-- 0001_outbox.sql - the outbox in tables. Applied by `runpost init`, in one transaction, with the
-- search_path set to the schema. Times are milliseconds since 1970, UTC; views show them as
-- timestamps. Numbers of states, causes and levels are named in the tables *_name.
--
-- Tables whose rows change or go are swept after so many dead rows, not after a share of the
-- table: an outbox of any size has about as many of them. Who stands alone in its row and changes
-- it again and again (a writer, a sender, a job) leaves room on its page for the next version.

CREATE TABLE entry (
    seq              bigint PRIMARY KEY,
    id               bytea NOT NULL UNIQUE,
    endpoint         bigint NOT NULL,
    accepted_at_ms   bigint NOT NULL,
    not_before_at_ms bigint NOT NULL,
    expires_at_ms    bigint NOT NULL,
    payload_bytes    bigint NOT NULL,
    payload_hash     bigint NOT NULL,
    url              text NOT NULL,
    run_id           text NOT NULL,
    thread_id        text NOT NULL,
    event            text NOT NULL,
    operation        text NOT NULL,
    order_by         text NOT NULL,
    headers          text NOT NULL,
    dedupe_key       text NOT NULL UNIQUE,
    payload          bytea NOT NULL
) WITH (
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 10000,
    autovacuum_vacuum_cost_delay = 0
);

CREATE TABLE delivery (
    seq           bigint PRIMARY KEY,
    endpoint      bigint NOT NULL,
    state         smallint NOT NULL CHECK (state BETWEEN 1 AND 5),
    cause         smallint NOT NULL,
    last_cause    smallint NOT NULL,
    http_status   integer NOT NULL,
    slot          integer NOT NULL,
    failures      integer NOT NULL,
    losses        integer NOT NULL,
    replays       bigint NOT NULL,
    attempts      bigint NOT NULL,
    claim_no      bigint NOT NULL,
    due_at_ms     bigint NOT NULL,
    state_at_ms   bigint NOT NULL,
    budget_at_ms  bigint NOT NULL,
    expires_at_ms bigint NOT NULL,
    order_key     bigint NOT NULL,
    behind        boolean NOT NULL,
    lacks         smallint NOT NULL,
    not_before_at_ms bigint NOT NULL
) WITH (
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 10000,
    autovacuum_vacuum_cost_delay = 0
);

CREATE TABLE attempt (
    seq            bigint NOT NULL,
    n              bigint NOT NULL,
    cause          smallint NOT NULL,
    late           boolean NOT NULL,
    http_version   smallint NOT NULL,
    http_status    integer NOT NULL,
    slot           integer NOT NULL,
    pid            bigint NOT NULL,
    started_at_ms  bigint NOT NULL,
    duration_us    bigint NOT NULL,
    dns_us         bigint NOT NULL,
    connect_us     bigint NOT NULL,
    tls_us         bigint NOT NULL,
    first_byte_us  bigint NOT NULL,
    retry_after_ms bigint NOT NULL,
    peer           text NOT NULL,
    detail         text NOT NULL,
    response       bytea NOT NULL,
    PRIMARY KEY (seq, n)
) WITH (
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 10000,
    autovacuum_vacuum_cost_delay = 0
);

-- A path, a section or a host. The number has the host's in its upper 32 bits.
CREATE TABLE endpoint (
    id                     bigint PRIMARY KEY,
    name                   text NOT NULL,
    name_hash              bytea NOT NULL,      -- the first 16 bytes of its SHA-256
    level                  smallint NOT NULL,   -- 0 path, 1 section, 2 host
    queue                  bigint NOT NULL,     -- the ready queue that it is in
    ready_at_ms            bigint,              -- its place there; NULL: it is not in it
    first_due_at_ms        bigint,
    section                bigint NOT NULL,
    members                bigint NOT NULL,
    n_paths                bigint NOT NULL,
    clears                 bigint NOT NULL,
    bad_at                 bigint NOT NULL,
    in_proven              boolean NOT NULL,
    paused                 boolean NOT NULL,
    disabled               boolean NOT NULL,
    last_cause             smallint NOT NULL,
    last_status            integer NOT NULL,
    streak                 bigint NOT NULL,
    served_at_ms           bigint NOT NULL,
    parked_until_ms        bigint NOT NULL,
    changed_at_ms          bigint NOT NULL,
    last_success_at_ms     bigint NOT NULL,
    last_failure_at_ms     bigint NOT NULL,
    limit_in_flight        bigint NOT NULL,     -- struct rp_control
    limit_start            bigint NOT NULL,
    limit_rate_count       bigint NOT NULL,
    limit_rate_period_ms   bigint NOT NULL,
    limit_breaker          boolean NOT NULL,
    window_permille        bigint NOT NULL,
    congested              boolean NOT NULL,
    breaker                smallint NOT NULL,
    bad_streak             bigint NOT NULL,
    recent                 bigint NOT NULL,
    recent_bad             bigint NOT NULL,
    recent_at_ms           bigint NOT NULL,
    pauses                 bigint NOT NULL,
    breaker_cause          smallint NOT NULL,
    breaker_status         integer NOT NULL,
    opened_at_ms           bigint NOT NULL,
    probe_at_ms            bigint NOT NULL,
    full_at_us             bigint NOT NULL,
    waiting                bigint NOT NULL,
    in_flight              bigint NOT NULL,
    held                   bigint NOT NULL,
    delivered              bigint NOT NULL,
    dead                   bigint NOT NULL,
    lacking_path           bigint NOT NULL,
    lacking_section        bigint NOT NULL,
    lacking_host           bigint NOT NULL
) WITH (
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0
);

-- An operator's job or plan, and what is left of its set.
CREATE TABLE job (
    number          bigint PRIMARY KEY,
    verb            smallint NOT NULL,
    phase           smallint NOT NULL,
    uid             bigint NOT NULL,
    rate_count      bigint NOT NULL,
    rate_period_ms  bigint NOT NULL,
    created_at_ms   bigint NOT NULL,
    started_at_ms   bigint NOT NULL,
    ended_at_ms     bigint NOT NULL,
    expires_at_ms   bigint NOT NULL,
    moved_at_ms     bigint NOT NULL,
    next_at_us      bigint NOT NULL,
    lane            bigint NOT NULL,
    audit           bigint NOT NULL,
    planned         bigint NOT NULL,
    done            bigint NOT NULL,
    done_in_flight  bigint NOT NULL,
    skipped_in_flight bigint NOT NULL,
    skipped_changed bigint NOT NULL,
    skipped_gone    bigint NOT NULL,
    skipped_state   bigint NOT NULL,
    user_name       text NOT NULL,
    selector        text NOT NULL,
    reason          text NOT NULL
) WITH (
    fillfactor = 50,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0
);

CREATE TABLE job_entry (
    job      bigint NOT NULL,
    endpoint bigint NOT NULL,
    seq      bigint NOT NULL,
    state    smallint NOT NULL,
    claim_no bigint NOT NULL,
    replays  bigint NOT NULL,
    PRIMARY KEY (job, endpoint, seq)
) WITH (
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 10000,
    autovacuum_vacuum_cost_delay = 0
);

-- Who changed what.
CREATE TABLE audit (
    number    bigint PRIMARY KEY,
    uid       bigint NOT NULL,
    at_ms     bigint NOT NULL,
    job       bigint NOT NULL,
    done      bigint NOT NULL,
    skipped   bigint NOT NULL,
    verb      text NOT NULL,
    user_name text NOT NULL,
    what      text NOT NULL,
    reason    text NOT NULL
);

-- A sender, by its slot. `liveness` is the key of the advisory lock that its session holds.
CREATE TABLE sender (
    slot            integer PRIMARY KEY,
    incarnation     bigint NOT NULL,
    liveness        bigint NOT NULL,
    host            text NOT NULL,     -- name and boot id of the machine, its PID namespace
    pid             bigint NOT NULL,
    pid_started     bigint NOT NULL,   -- of /proc/PID/stat: a PID is given again
    started_at_ms   bigint NOT NULL,
    beat_at_ms      bigint NOT NULL,   -- by the database's clock
    beat_boot_ms    bigint NOT NULL,
    ended           boolean NOT NULL,  -- it said so itself
    sleeps          boolean NOT NULL,  -- it waits to be woken
    clock_known     boolean NOT NULL,
    wall_less_boot_ms bigint NOT NULL,
    clock_seen_ms   bigint NOT NULL,
    clock_step_ms   bigint NOT NULL,
    clock_step_boot_ms bigint NOT NULL
) WITH (
    fillfactor = 50,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0
);

-- What each writer has changed in the ledger and the counters; all rows are added up.
CREATE TABLE writer (
    number          integer PRIMARY KEY,
    accepted        bigint NOT NULL,
    waiting         bigint NOT NULL,
    in_flight       bigint NOT NULL,
    held            bigint NOT NULL,
    delivered       bigint NOT NULL,
    dead            bigint NOT NULL,
    purged          bigint NOT NULL,
    retrying        bigint NOT NULL,
    commits         bigint NOT NULL,
    latest_at_ms    bigint NOT NULL,
    duplicates      bigint NOT NULL,
    replayed        bigint NOT NULL,
    claims_lost     bigint NOT NULL,
    last_append_at_ms   bigint NOT NULL,
    last_delivery_at_ms bigint NOT NULL,
    retries         bigint[] NOT NULL,  -- by cause
    died            bigint[] NOT NULL,  -- by cause
    sender_commits  bigint[] NOT NULL,  -- histograms: the sum, then the buckets
    other_commits   bigint[] NOT NULL,
    attempts        bigint[] NOT NULL,
    latency         bigint[] NOT NULL,
    minutes         bigint[] NOT NULL   -- minute, accepted, delivered, failed; and again
) WITH (
    fillfactor = 50,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0
);

CREATE TABLE series (
    writer   integer NOT NULL,
    name     text NOT NULL,
    attempts bigint[] NOT NULL,         -- by class
    PRIMARY KEY (writer, name)
);

-- The attempts that were settled last.
CREATE TABLE recent (
    number        bigint PRIMARY KEY,
    xid           xid8 NOT NULL,        -- who reads on does not pass one that is not committed yet
    settled_at_ms bigint NOT NULL,
    seq           bigint NOT NULL,
    endpoint      bigint NOT NULL,
    attempt       bigint NOT NULL,
    cause         smallint NOT NULL,
    late          boolean NOT NULL,
    http_status   integer NOT NULL,
    slot          integer NOT NULL,
    duration_ms   bigint NOT NULL
) WITH (
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 10000,
    autovacuum_vacuum_cost_delay = 0
);

CREATE TABLE migration (
    number     integer PRIMARY KEY,
    name       text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

CREATE SEQUENCE entry_seq AS bigint MINVALUE 1;
CREATE SEQUENCE host_number AS bigint MINVALUE 1;
CREATE SEQUENCE recent_number AS bigint MINVALUE 1;
CREATE SEQUENCE audit_number AS bigint MINVALUE 1;

-- Who is due, in front: claims walk this index from endpoint.first_due_at_ms on.
CREATE INDEX delivery_waiting ON delivery (endpoint, due_at_ms, seq)
    WHERE state = 1 AND NOT behind;
CREATE INDEX delivery_order ON delivery (endpoint, order_key, seq)
    WHERE order_key <> 0 AND state IN (1, 2, 3);
CREATE INDEX delivery_claimed ON delivery (slot, seq) WHERE state = 2;
CREATE INDEX delivery_held ON delivery (state_at_ms, seq) WHERE state = 3;
CREATE INDEX delivery_delivered ON delivery (state_at_ms, seq) WHERE state = 4;
CREATE INDEX delivery_dead ON delivery (state_at_ms, seq) WHERE state = 5;
-- What people look for; entries are never changed, so these cost one insertion each.
CREATE INDEX entry_run ON entry (run_id, seq) WHERE run_id <> '';
CREATE INDEX entry_thread ON entry (thread_id, seq) WHERE thread_id <> '';
CREATE INDEX entry_endpoint ON entry (endpoint, seq);
CREATE INDEX entry_accepted ON entry (accepted_at_ms);
CREATE INDEX endpoint_ready ON endpoint (queue, ready_at_ms, id) WHERE ready_at_ms IS NOT NULL;
CREATE INDEX endpoint_due ON endpoint (first_due_at_ms, id)
    WHERE level = 0 AND first_due_at_ms IS NOT NULL;
CREATE UNIQUE INDEX endpoint_name ON endpoint (level, name_hash);

-- Half the disk, log and traffic to standbys at no cost that can be measured; a server without lz4
-- uses its default.
DO $$
BEGIN
    ALTER TABLE entry ALTER COLUMN payload SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
    NULL;
END
$$;

-- The one clock of all hosts. Tests replace it.
CREATE FUNCTION now_ms() RETURNS bigint LANGUAGE sql VOLATILE
    RETURN (extract(epoch FROM clock_timestamp()) * 1000)::bigint;
