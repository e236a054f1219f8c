-- Webhooks that are sent, root keys that are rotated, rows that age.

-- A rolled secret signs along with the new one until its time is over. Why an endpoint is disabled: `asked`
-- or `gone` (it answered 410).
alter table webhook_endpoint add column previous_secret text;
alter table webhook_endpoint add column previous_secret_until bigint;
alter table webhook_endpoint add column disabled_reason text;

-- What happened to one connection goes to one endpoint in the order of `nth`. Whoever sends a delivery holds
-- its lease, and has moved next_at to when the lease ends.
alter table delivery add column connection_id text not null default '';
alter table delivery add column nth bigint not null default 0;
alter table delivery add column lease text;
update delivery set connection_id = (
  select e.connection_id from event e where e.workspace_id = delivery.workspace_id and e.id = delivery.event_id
);
update delivery set nth = (
  select count(*) from delivery d
  where d.endpoint_id = delivery.endpoint_id and d.connection_id = delivery.connection_id
    and (d.created_at < delivery.created_at or (d.created_at = delivery.created_at and d.id <= delivery.id))
);
create unique index delivery_of_workspace on delivery (workspace_id, id);
create index delivery_waiting on delivery (endpoint_id, next_at, id) where next_at is not null;
create index delivery_in_line on delivery (endpoint_id, connection_id, nth);
create index delivery_ahead on delivery (endpoint_id, connection_id, nth) where next_at is not null;
drop index delivery_due;
drop index delivery_of_endpoint;
create index delivery_of_endpoint on delivery (workspace_id, endpoint_id, created_at, id);

-- One row per attempt. status is the HTTP status, null when there was no answer, and error says why;
-- answer is the first kilobyte of what came back.
create table delivery_attempt (
  id text not null primary key,
  workspace_id text not null,
  delivery_id text not null,
  number bigint not null,
  status bigint,
  error text,
  answer text,
  duration_ms bigint not null,
  at bigint not null,
  foreign key (workspace_id, delivery_id) references delivery (workspace_id, id) on delete cascade
);
create index delivery_attempt_of_delivery on delivery_attempt (workspace_id, delivery_id, number);

create index event_aging on event (created_at);
-- An owner's connections are listed newest first.
drop index connection_of_owner;
create index connection_of_owner on connection (workspace_id, owner_kind, owner_key, created_at, id);
-- Who may live on one grant at a provider: the connections of a client's integrations, by account.
create index integration_of_client on integration (client_id);
create index connection_of_grant on connection (workspace_id, integration_id, status, account_id);
-- Counted now and then, for monitoring.
create index connection_by_status on connection (status);

-- Which processes are alive, and which root keys each holds (JSON; the first seals).
create table process (
  id text not null primary key,
  version text not null,
  key_ids text not null,
  started_at bigint not null,
  seen_at bigint not null
);
