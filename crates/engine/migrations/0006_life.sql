-- A credential's life: one refresh at a time over any number of processes, and nothing of it lost.

-- One row per connection that was ever refreshed. The lease: who refreshes it, under which fencing number (it only goes
-- up), and until when, by the database's own time. And how it went: failures that pass, since the last success.
create table refresh_state (
  connection_id text not null primary key,
  workspace_id text not null,
  owner text,
  fence bigint not null,
  lease_until bigint not null,
  failures bigint not null,
  retry_at bigint,
  fault text,
  failure text,
  foreign key (workspace_id, connection_id) references connection (workspace_id, id) on delete cascade
);
create index refresh_state_of_connection on refresh_state (workspace_id, connection_id);

-- Written before a refresh token is sent: which, by hash, and under which fencing number. While it is not closed, that
-- token is sent by nobody. Its answer unknown, it is listed until it was found out what became of it.
create table refresh_intent (
  id text not null primary key,
  workspace_id text not null,
  connection_id text not null,
  version bigint not null,
  token_hash text not null,
  fence bigint not null,
  tries bigint not null,
  sent_at bigint not null,
  unknown_at bigint,
  unknown_why text,
  closed_at bigint,
  outcome text,
  foreign key (workspace_id, connection_id) references connection (workspace_id, id) on delete cascade
);
create unique index refresh_intent_open on refresh_intent (token_hash) where closed_at is null;
create index refresh_intent_of_token on refresh_intent (token_hash) where closed_at is not null;
create index refresh_intent_of_connection on refresh_intent (workspace_id, connection_id, sent_at);
create index refresh_intent_unknown on refresh_intent (workspace_id, unknown_at) where unknown_at is not null;
create index refresh_intent_aging on refresh_intent (closed_at) where closed_at is not null;

-- Which refresh wrote it (its fencing number, the hash of the token it spent), the credential before it until this one
-- has worked, and for how many seconds such a token was good the last time that was known.
alter table credential add column fence bigint not null default 0;
alter table credential add column parent_hash text;
alter table credential add column previous text;
alter table credential add column previous_until bigint;
alter table credential add column worked_at bigint;
alter table credential add column lifetime bigint;
create index credential_expiring on credential (expires_at) where expires_at is not null;
create index credential_aging on credential (obtained_at) where refresh_expires_at is not null;
create index credential_dying on credential (refresh_expires_at) where refresh_expires_at is not null;
create index credential_replaced on credential (previous_until) where previous_until is not null;

-- Health: when it was last used, how long its refresh token had to live when its owner authorized it, of which death of
-- that token its owner was told, when it was last verified and until when it is left alone, and what came of comparing its
-- account with the one before.
alter table connection add column last_used_at bigint;
alter table connection add column refresh_life bigint;
alter table connection add column expiring_told bigint;
alter table connection add column verified_at bigint;
alter table connection add column verify_after bigint;
alter table connection add column account_note text;

-- Since when it is being ended: no grant is kept alive for its sake. And what became of the grant, by connection.
alter table connection add column ending_at bigint;
create index revocation_of_connection on revocation (workspace_id, connection_id, at);

-- Since when an endpoint has taken nothing. And what is told again of one connection, in order.
alter table webhook_endpoint add column failing_since bigint;
create index event_of_connection on event (workspace_id, connection_id, created_at, id);

-- What is left of a limit in its window, for all processes: each takes a slice.
create table budget (
  key text not null primary key,
  window_began bigint not null,
  taken bigint not null
);
create index budget_aging on budget (window_began);

-- One-time links that renew a connection, and by which browser each was used.
create table reconnect_link (
  id text not null primary key,
  workspace_id text not null,
  connection_id text not null,
  token_hash text not null unique,
  redirect_uri text,
  expires_at bigint not null,
  used_at bigint,
  browser_hash text,
  created_at bigint not null,
  foreign key (workspace_id, connection_id) references connection (workspace_id, id) on delete cascade
);
create index reconnect_link_of_connection on reconnect_link (workspace_id, connection_id);
create index reconnect_link_aging on reconnect_link (expires_at);

-- Counts the checks whether the database takes a write: each leaves one.
alter table change_head add column checked bigint not null default 0;
