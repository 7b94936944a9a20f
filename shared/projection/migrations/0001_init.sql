-- The projection of the ledger. Every row can be derived again from LEDGER and the artifacts that it names: drop the
-- schema and start the projector. `isomorph fsck` compares the two.
-- Ids that fsck walks in order are collated "C", so that every client orders them alike.

create table isomorph.position (
  id boolean primary key default true check (id),
  stream_seq bigint not null
);
comment on table isomorph.position is 'one row: the last message of LEDGER that is projected';
insert into isomorph.position (stream_seq) values (0);

create table isomorph.events (
  stream_seq bigint not null,
  index_in_commit integer not null,
  plan_id text collate "C" not null,
  seq bigint not null,
  kind text not null,
  by text not null,
  ts timestamptz,
  this_hash text not null,
  prev_hash text,
  bytes bytea not null,
  data jsonb not null,
  primary key (plan_id, seq)
);
comment on column isomorph.events.bytes is 'the exact canonical bytes that were hashed: the truth of this row';
comment on column isomorph.events.data is 'for queries: data of the event, U+0000 (which jsonb cannot hold) as U+FFFD';
create index events_stream_seq on isomorph.events (stream_seq, index_in_commit);
create index events_kind on isomorph.events (kind, ts);

create table isomorph.foreign_messages (
  stream_seq bigint primary key,
  subject text not null,
  reason text not null
);
comment on table isomorph.foreign_messages is 'messages in LEDGER that are no events, and so were skipped';

create table isomorph.plans (
  plan_id text collate "C" primary key,
  phase text not null,
  status text not null,
  title text,
  policy text,
  steps bigint,
  plan_path text,
  plan_cid text,
  plan_bytes bigint,
  admitted_path text,
  admitted_cid text,
  submitted_at timestamptz,
  deadline timestamptz,
  cancel_reason text,
  settled_at timestamptz,
  faults jsonb not null,
  head_seq bigint not null,
  head_hash text,
  head_ts timestamptz
);
create index plans_submitted_at on isomorph.plans (submitted_at desc, plan_id);
create index plans_status on isomorph.plans (status, submitted_at desc);

create table isomorph.steps (
  plan_id text collate "C" not null,
  step_id text collate "C" not null,
  position bigint not null,
  processor text not null,
  adapter text not null,
  needs jsonb not null,
  inputs jsonb not null,
  write_prefix text not null,
  status text not null,
  attempts bigint not null,
  execution_id text,
  not_before timestamptz,
  primary key (plan_id, step_id)
);
comment on column isomorph.steps.not_before is 'of a step that is ready: when its next attempt may start';
create index steps_status on isomorph.steps (status, processor);

create table isomorph.executions (
  plan_id text collate "C" not null,
  execution_id text collate "C" not null,
  step_id text not null,
  attempt bigint not null,
  processor text not null,
  adapter text not null,
  status text not null,
  scheduled_at timestamptz,
  not_before timestamptz,
  started_at timestamptz,
  deadline timestamptz,
  ended_at timestamptz,
  worker text,
  params_cid text,
  inputs jsonb,
  duration_ms bigint,
  code text,
  message text,
  retryable boolean,
  environment jsonb,
  reserved_usd_micro bigint not null,
  actual_usd_micro bigint,
  primary key (plan_id, execution_id)
);
create index executions_step on isomorph.executions (plan_id, step_id, attempt);
create index executions_processor on isomorph.executions (processor, status, ended_at desc);

-- Paths may be longer than a B-tree entry can be: they are indexed by hash, and rows are named by their place.
create table isomorph.artifacts (
  plan_id text collate "C" not null,
  position bigint not null,
  path text not null,
  cid text not null,
  sha256 text not null,
  size_bytes bigint not null,
  content_type text not null,
  execution_id text,
  primary key (plan_id, position)
);
create index artifacts_path on isomorph.artifacts using hash (path);
create index artifacts_cid on isomorph.artifacts (cid);

create table isomorph.receipts (
  plan_id text collate "C" not null,
  execution_id text collate "C" not null,
  step_id text not null,
  path text not null,
  cid text not null,
  memo_key text not null,
  primary key (plan_id, execution_id)
);
create index receipts_memo_key on isomorph.receipts (memo_key);

create table isomorph.budgets (
  plan_id text collate "C" primary key,
  limit_usd_micro bigint not null,
  held_usd_micro bigint not null,
  spent_usd_micro bigint not null
);
