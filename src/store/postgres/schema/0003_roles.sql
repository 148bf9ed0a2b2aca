-- 0003_roles.sql - least rights for the roles of others. Who owns the schema (the role that
-- ran `runpost init`) calls these, and again after an upgrade:
--
--   SELECT runpost.grant_writer('app');      -- runpost ingest, send, serve; all of runpostctl
--   SELECT runpost.grant_reader('ops');      -- what of runpostctl only reads
--   SELECT runpost.grant_support('support'); -- the views alone: no payloads, no headers
--
-- They find their schema by the search_path of now. With durability = standby a writer needs
-- pg_read_all_stats as well (GRANT pg_read_all_stats TO app), which a superuser has to give.

CREATE FUNCTION grant_reader(role name) RETURNS void
    LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), role);
    EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO %I', current_schema(), role);
    EXECUTE format('GRANT SELECT ON ALL SEQUENCES IN SCHEMA %I TO %I', current_schema(), role);
END
$$;
COMMENT ON FUNCTION grant_reader IS 'Lets a role read everything';

CREATE FUNCTION grant_writer(role name) RETURNS void
    LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM grant_reader(role);
    EXECUTE format('GRANT INSERT, UPDATE, DELETE ON entry, delivery, attempt, endpoint,'
                   ' job, job_entry, audit, sender, recent TO %I', role);
    EXECUTE format('GRANT INSERT, UPDATE ON writer, series TO %I', role);
    EXECUTE format('GRANT USAGE ON ALL SEQUENCES IN SCHEMA %I TO %I', current_schema(), role);
END
$$;
COMMENT ON FUNCTION grant_writer IS 'Lets a role work the outbox, and not change its tables';

CREATE FUNCTION grant_support(role name) RETURNS void
    LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), role);
    EXECUTE format('GRANT SELECT ON dead_by_cause, endpoint_status, entry_timeline, state_name,'
                   ' cause_name, level_name, breaker_name TO %I', role);
END
$$;
COMMENT ON FUNCTION grant_support IS 'Lets a role read the views alone';
