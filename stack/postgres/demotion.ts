/**
 * Takes the superuser's power from the one session of PGlite: from here on it is the role `isomorph`, which owns what this deployment made. What could
 * build the text of a guarded statement at run time (procedural languages, `set_config`) is the superuser's alone.
 */
export const DEMOTION = `
do $$ begin
  if not exists (select from pg_roles where rolname = 'isomorph') then
    create role isomorph nosuperuser nocreatedb nocreaterole;
  end if;
  execute format('grant create, temporary on database %I to isomorph', current_database());
end $$;
grant all on schema public to isomorph;
revoke all on language plpgsql, sql from public;
revoke execute on function set_config(text, text, boolean) from public;
revoke execute on function pg_terminate_backend(integer, bigint), pg_cancel_backend(integer) from public;
do $$ declare one record; begin
  for one in select nspname as name from pg_namespace
    where nspowner = 10 and nspname !~ '^pg_' and nspname not in ('information_schema', 'public')
  loop execute format('alter schema %I owner to isomorph', one.name); end loop;
  for one in select n.nspname as schema, c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relowner = 10 and c.relkind in ('r', 'p', 'v', 'm') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
  loop execute format('alter table %I.%I owner to isomorph', one.schema, one.name); end loop;
end $$;
set session authorization isomorph;
`;
