-- The foundation: every noun of the domain.
-- One text for SQLite and PostgreSQL: text and bigint only. Times are milliseconds since 1970, flags are
-- nullable times, lists and maps are JSON, secrets are sealed texts. A row that points at another row of its
-- workspace does so by (workspace_id, id), so that no row can point into another workspace.

create table workspace (
  id text not null primary key,
  name text not null,
  client_id text not null unique,
  jwt_secret text,
  settings text not null,
  created_at bigint not null,
  updated_at bigint not null
);

create table redirect_uri (
  workspace_id text not null references workspace (id) on delete cascade,
  uri text not null,
  created_at bigint not null,
  primary key (workspace_id, uri)
);

create table integration (
  id text not null primary key,
  workspace_id text not null references workspace (id) on delete cascade,
  slug text not null,
  provider text not null,
  name text not null,
  name_sort text not null,
  mode text not null,
  client_id text,
  client_secret text,
  scopes text not null,
  callback text not null,
  config text not null,
  version bigint not null,
  disabled_at bigint,
  created_at bigint not null,
  updated_at bigint not null,
  unique (workspace_id, slug),
  unique (workspace_id, id)
);
create index integration_listed on integration (workspace_id, created_at, id);

create table api_key (
  id text not null primary key,
  workspace_id text not null references workspace (id) on delete cascade,
  name text not null,
  prefix text not null,
  hash text not null unique,
  scopes text not null,
  integration_id text,
  expires_at bigint,
  last_used_at bigint,
  revoked_at bigint,
  created_at bigint not null,
  foreign key (workspace_id, integration_id) references integration (workspace_id, id) on delete cascade
);
create index api_key_found on api_key (prefix);
create index api_key_listed on api_key (workspace_id, created_at, id);
create index api_key_of_integration on api_key (workspace_id, integration_id);

create table app_user (
  id text not null primary key,
  workspace_id text not null references workspace (id) on delete cascade,
  username text not null,
  username_folded text not null,
  email text,
  password_hash text,
  superuser_at bigint,
  permissions text not null,
  disabled_at bigint,
  created_at bigint not null,
  updated_at bigint not null,
  unique (workspace_id, username_folded)
);
create index app_user_listed on app_user (workspace_id, created_at, id);

create table operator (
  id text not null primary key,
  username text not null,
  username_folded text not null unique,
  password_hash text,
  disabled_at bigint,
  created_at bigint not null
);

create table operator_role (
  operator_id text not null references operator (id) on delete cascade,
  workspace_id text not null references workspace (id) on delete cascade,
  role text not null,
  primary key (operator_id, workspace_id)
);
create index operator_role_of_workspace on operator_role (workspace_id);

create table connection (
  id text not null primary key,
  workspace_id text not null references workspace (id) on delete cascade,
  integration_id text not null,
  owner_kind text not null,
  owner_key text,
  status text not null,
  status_reason text,
  scopes_asked text not null,
  scopes_granted text not null,
  account_id text,
  account_name text,
  account_email text,
  inputs text not null,
  frozen_at bigint,
  refreshed_at bigint,
  expires_at bigint,
  created_at bigint not null,
  updated_at bigint not null,
  unique (workspace_id, id),
  foreign key (workspace_id, integration_id) references integration (workspace_id, id)
);
create index connection_listed on connection (workspace_id, created_at, id);
create index connection_of_integration on connection (workspace_id, integration_id, created_at, id);
create index connection_of_owner on connection (workspace_id, owner_kind, owner_key);
create index connection_of_account on connection (workspace_id, account_id);

create table credential (
  connection_id text not null primary key,
  workspace_id text not null,
  sealed text not null,
  version bigint not null,
  expires_at bigint,
  refresh_expires_at bigint,
  obtained_at bigint not null,
  foreign key (workspace_id, connection_id) references connection (workspace_id, id) on delete cascade
);
create index credential_of_connection on credential (workspace_id, connection_id);

create table flow (
  id text not null primary key,
  workspace_id text not null,
  integration_id text not null,
  integration_version bigint not null,
  browser_hash text not null,
  state_hash text unique,
  verifier text,
  owner_kind text not null,
  owner_key text,
  completion text not null,
  handoff text not null,
  callback text not null,
  inputs text not null,
  endpoints text,
  expires_at bigint not null,
  taken_at bigint,
  callback_hash text,
  outcome text,
  provider_code text,
  code_hash text unique,
  code_expires_at bigint,
  code_used_at bigint,
  connection_id text references connection (id) on delete set null,
  created_at bigint not null,
  foreign key (workspace_id, integration_id) references integration (workspace_id, id) on delete cascade
);
create index flow_of_integration on flow (workspace_id, integration_id);
create index flow_pending on flow (workspace_id, expires_at) where taken_at is null;
create index flow_expiring on flow (expires_at);
create index flow_of_connection on flow (connection_id) where connection_id is not null;

create table webhook_endpoint (
  id text not null primary key,
  workspace_id text not null references workspace (id) on delete cascade,
  name text not null,
  url text not null,
  events text not null,
  secret text not null,
  disabled_at bigint,
  last_triggered_at bigint,
  created_at bigint not null,
  updated_at bigint not null,
  unique (workspace_id, id)
);
create index webhook_endpoint_listed on webhook_endpoint (workspace_id, created_at, id);

-- connection_id stays when the connection is gone: what happened to it is still to be told.
create table event (
  id text not null primary key,
  workspace_id text not null references workspace (id) on delete cascade,
  kind text not null,
  connection_id text not null,
  data text not null,
  created_at bigint not null,
  unique (workspace_id, id)
);
create index event_listed on event (workspace_id, created_at, id);

create table delivery (
  id text not null primary key,
  workspace_id text not null,
  event_id text not null,
  endpoint_id text not null,
  attempts bigint not null,
  next_at bigint,
  delivered_at bigint,
  created_at bigint not null,
  foreign key (workspace_id, event_id) references event (workspace_id, id) on delete cascade,
  foreign key (workspace_id, endpoint_id) references webhook_endpoint (workspace_id, id) on delete cascade
);
create index delivery_of_event on delivery (workspace_id, event_id, created_at, id);
create index delivery_of_endpoint on delivery (workspace_id, endpoint_id);
create index delivery_due on delivery (next_at) where next_at is not null;

-- No foreign key but the workspace's: the log outlives keys, connections and integrations.
create table request_log (
  id text not null primary key,
  request_id text not null,
  workspace_id text not null references workspace (id) on delete cascade,
  api_key_id text,
  connection_id text not null,
  integration_id text not null,
  method text not null,
  path text not null,
  status bigint not null,
  error text,
  attempts bigint not null,
  bytes_in bigint not null,
  bytes_out bigint not null,
  duration_ms bigint not null,
  at bigint not null
);
create index request_log_listed on request_log (workspace_id, at, id);
create index request_log_aging on request_log (at);

-- No foreign key at all: who removed a workspace is asked after it is gone.
create table audit (
  id text not null primary key,
  workspace_id text,
  actor text not null,
  verb text not null,
  target text not null,
  at bigint not null
);
create index audit_listed on audit (workspace_id, at, id);

create table revocation (
  id text not null primary key,
  workspace_id text not null references workspace (id) on delete cascade,
  connection_id text not null,
  integration_id text not null,
  outcome text not null,
  detail text not null,
  at bigint not null
);
create index revocation_listed on revocation (workspace_id, at, id);

-- The change log that every process reads along. Its numbers come from one row, locked from just before
-- a commit until after it: whoever sees number n has seen all before it.
create table change_head (
  id bigint not null primary key,
  seq bigint not null
);
insert into change_head (id, seq) values (1, 0);

create table change_log (
  seq bigint not null primary key,
  workspace_id text,
  topic text not null,
  target text not null,
  at bigint not null
);
create index change_log_aging on change_log (at);
