-- Customers: of whom a product's signed tokens speak, what they connect, and the ways in which they can.

-- What a product's tokens are verified with besides the workspace's secret: public keys, each for one algorithm.
create table jwt_key (
  id text not null primary key,
  workspace_id text not null references workspace (id) on delete cascade,
  name text not null,
  algorithm text not null,
  public_key text not null,
  created_at bigint not null,
  unique (workspace_id, name)
);

-- key is the product's own id for the customer; credentials are what the product left with us, sealed.
create table customer (
  id text not null primary key,
  workspace_id text not null references workspace (id) on delete cascade,
  key text not null,
  name text,
  fields text not null,
  credentials text,
  search text not null,
  seen_at bigint not null,
  created_at bigint not null,
  updated_at bigint not null,
  unique (workspace_id, key),
  unique (workspace_id, id)
);
create index customer_listed on customer (workspace_id, created_at, id);

-- Further ways to authenticate at an integration; its own columns are the way that needs no naming.
create table auth_option (
  id text not null primary key,
  workspace_id text not null,
  integration_id text not null,
  key text not null,
  title text,
  description text,
  provider text not null,
  client_id text,
  client_secret text,
  scopes text not null,
  callback text not null,
  config text not null,
  proxy_key text,
  nth bigint not null,
  created_at bigint not null,
  updated_at bigint not null,
  unique (workspace_id, integration_id, key),
  foreign key (workspace_id, integration_id) references integration (workspace_id, id) on delete cascade
);
create index auth_option_of_client on auth_option (client_id);
create index auth_option_of_app on auth_option (workspace_id, proxy_key) where proxy_key is not null;

-- OAuth apps of whoever runs the server, lent to a workspace: integrations name them and never see their secrets.
-- proxy_key, there and at auth_option, repeats what the configuration says, so that an app's users are found.
create table oauth_app (
  id text not null primary key,
  workspace_id text not null references workspace (id) on delete cascade,
  key text not null,
  provider text not null,
  client_id text not null,
  client_secret text,
  created_at bigint not null,
  updated_at bigint not null,
  unique (workspace_id, key)
);

create index oauth_app_of_client on oauth_app (client_id);
alter table integration add column proxy_key text;
create index integration_of_app on integration (workspace_id, proxy_key) where proxy_key is not null;

-- How a connect request ended, for whoever listens for it. hash is the SHA-256 of the id that the caller chose; error is
-- JSON.
create table connect_request (
  hash text not null primary key,
  workspace_id text not null references workspace (id) on delete cascade,
  connection_id text,
  error text,
  ended_at bigint,
  expires_at bigint not null,
  created_at bigint not null
);
create index connect_request_ended on connect_request (ended_at) where ended_at is not null;
create index connect_request_aging on connect_request (expires_at);

-- What is left of a customer's connection that was archived. snapshot is JSON and holds nothing secret.
create table archived_connection (
  id text not null primary key,
  workspace_id text not null,
  integration_id text not null,
  owner_key text,
  snapshot text not null,
  archived_at bigint not null,
  created_at bigint not null,
  foreign key (workspace_id, integration_id) references integration (workspace_id, id) on delete cascade
);
create index archived_connection_listed on archived_connection (workspace_id, owner_key, created_at, id);
create index archived_connection_of_integration on archived_connection (workspace_id, integration_id);

-- auth_option is the key of one of the integration's, null its own way.
-- name_search is the name as a search looks through it, folded.
alter table connection add column name text;
alter table connection add column name_search text;
alter table connection add column auth_option text;

-- onto: which connection what comes of the flow goes over – `new`, `only` (the owner's, where there is one), or an id.
alter table flow add column onto text not null default 'new';
update flow set onto = 'only' where owner_kind in ('user', 'shared');
alter table flow add column name text;
alter table flow add column auth_option text;
alter table flow add column request text;
alter table flow add column custom_state text;
create index flow_of_customer on flow (workspace_id, owner_key) where owner_kind = 'customer';

alter table webhook_endpoint add column format text not null default 'bundleup';
-- JSON: what else is told of the connection where the endpoint's format is `membrane`.
alter table event add column about text;
