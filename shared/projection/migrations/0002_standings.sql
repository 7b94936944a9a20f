-- Plans that the version which projected them could not follow to their end. Their other rows are as far as it could.

create table isomorph.standings (
  plan_id text collate "C" primary key,
  standing text not null,
  seq bigint not null,
  reason text not null,
  known_until timestamptz
);
comment on table isomorph.standings is 'newer: a later version wrote the event seq; quarantined: that event is illegal where it stands';
comment on column isomorph.standings.known_until is 'time of the last event that was understood';
