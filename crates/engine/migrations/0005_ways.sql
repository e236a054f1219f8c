-- Our own keys towards providers: what assertions are signed with, and client certificates.
-- option_id is an auth option of the integration's, null for its own way; kind is `signing` or `certificate`.
-- public is a JWK (JSON), or a chain of certificates (PEM); secret is the private key, sealed.
-- signs_from: servers that keep our key set for a while must have seen a key before it signs.
create table client_key (
  id text not null primary key,
  workspace_id text not null,
  integration_id text not null,
  option_id text references auth_option (id) on delete cascade,
  kind text not null,
  algorithm text not null,
  public text not null,
  secret text not null,
  signs_from bigint not null,
  created_at bigint not null,
  foreign key (workspace_id, integration_id) references integration (workspace_id, id) on delete cascade
);
create index client_key_of on client_key (workspace_id, integration_id, kind);
create index client_key_of_option on client_key (option_id) where option_id is not null;

-- The picture that a workspace's customers know it by.
create table workspace_logo (
  workspace_id text not null primary key references workspace (id) on delete cascade,
  media_type text not null,
  body text not null,
  hash text not null,
  updated_at bigint not null
);

-- device: what the provider gave to enter elsewhere (RFC 8628 §3.2), sealed; poll_at: when it is asked next.
alter table flow add column device text;
alter table flow add column poll_at bigint;
create index flow_polled on flow (poll_at) where poll_at is not null;
