-- The dashboard: who is signed in there, how the first one gets in, and lists that are walked from where one stands.

-- A signed-in operator's browser. hash is the SHA-256 of its cookie; proven_at is when the password was last shown.
create table operator_session (
  hash text not null primary key,
  operator_id text not null references operator (id) on delete cascade,
  proven_at bigint not null,
  seen_at bigint not null,
  ends_at bigint not null,
  created_at bigint not null
);
create index operator_session_of_operator on operator_session (operator_id, created_at);
create index operator_session_aging on operator_session (ends_at);
create index operator_session_idle on operator_session (seen_at);

-- One-time links by which the first operator is made. hash is the SHA-256 of what the link carries. All go when one is
-- used.
create table setup_link (
  hash text not null primary key,
  ends_at bigint not null,
  created_at bigint not null
);

-- From which address somebody acted, where that is known.
alter table audit add column address text;

-- What was called through one connection; connections by how they stand, counted from the index alone.
create index request_log_of_connection on request_log (workspace_id, connection_id, at, id);
create index connection_of_standing on connection (workspace_id, status, frozen_at, created_at, id);
create index connection_frozen on connection (workspace_id, created_at, id) where frozen_at is not null;
