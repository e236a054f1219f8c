-- People: users sign in, belong to teams, own integrations, share them, and connect accounts of their own.

alter table app_user add column display_name text;
create unique index app_user_of_workspace on app_user (workspace_id, id);

-- Under which origins a workspace's users reach us, where it is not the installation's public URL. host is the
-- origin's host and port as a request's Host names it, in lower case.
create table workspace_host (
  host text not null primary key,
  workspace_id text not null references workspace (id) on delete cascade,
  origin text not null,
  created_at bigint not null
);
create index workspace_host_of_workspace on workspace_host (workspace_id);

-- A signed-in browser. hash is the SHA-256 of its cookie.
create table session (
  hash text not null primary key,
  workspace_id text not null,
  user_id text not null,
  seen_at bigint not null,
  ends_at bigint not null,
  created_at bigint not null,
  foreign key (workspace_id, user_id) references app_user (workspace_id, id) on delete cascade
);
create index session_of_user on session (workspace_id, user_id, created_at);
create index session_aging on session (ends_at);
create index session_idle on session (seen_at);

-- What a user's programs call with.
create table user_token (
  id text not null primary key,
  workspace_id text not null,
  user_id text not null,
  kind text not null,
  name text,
  prefix text not null,
  hash text not null unique,
  read_only_at bigint,
  expires_at bigint,
  last_used_at bigint,
  created_at bigint not null,
  foreign key (workspace_id, user_id) references app_user (workspace_id, id) on delete cascade
);
create index user_token_found on user_token (prefix);
create index user_token_of_user on user_token (workspace_id, user_id, created_at, id);

-- id is the team's slug.
create table team (
  workspace_id text not null references workspace (id) on delete cascade,
  id text not null,
  name text not null,
  created_at bigint not null,
  updated_at bigint not null,
  primary key (workspace_id, id)
);
create table team_member (
  workspace_id text not null,
  team_id text not null,
  user_id text not null,
  created_at bigint not null,
  primary key (workspace_id, team_id, user_id),
  foreign key (workspace_id, team_id) references team (workspace_id, id) on delete cascade,
  foreign key (workspace_id, user_id) references app_user (workspace_id, id) on delete cascade
);
create index team_member_of_user on team_member (workspace_id, user_id);

-- owner is a principal: user:<id> or team:<slug>. search is what a search looks through, folded.
alter table integration add column description text;
alter table integration add column tags text not null default '[]';
alter table integration add column owner text;
alter table integration add column search text not null default '';
update integration set search = lower(name);
create index integration_named on integration (workspace_id, name_sort, id);

-- principal is user:<id> or team:<slug>; the column of its kind repeats it, so that it goes with what it names.
create table integration_share (
  workspace_id text not null,
  integration_id text not null,
  principal text not null,
  user_id text,
  team_id text,
  level bigint not null,
  created_at bigint not null,
  updated_at bigint not null,
  primary key (workspace_id, integration_id, principal),
  foreign key (workspace_id, integration_id) references integration (workspace_id, id) on delete cascade,
  foreign key (workspace_id, user_id) references app_user (workspace_id, id) on delete cascade,
  foreign key (workspace_id, team_id) references team (workspace_id, id) on delete cascade
);
create index integration_share_of_user on integration_share (workspace_id, user_id) where user_id is not null;
create index integration_share_of_team on integration_share (workspace_id, team_id) where team_id is not null;

-- body is base64, hash the hex SHA-256 of the bytes.
create table integration_icon (
  workspace_id text not null,
  integration_id text not null,
  media_type text not null,
  body text not null,
  hash text not null,
  updated_at bigint not null,
  primary key (workspace_id, integration_id),
  foreign key (workspace_id, integration_id) references integration (workspace_id, id) on delete cascade
);

-- A user has one connection per integration, and a shared integration has one; both outlive being authorized anew.
alter table connection add column authorized_at bigint not null default 0;
update connection set authorized_at = created_at;
create unique index connection_of_user on connection (workspace_id, integration_id, owner_key)
  where owner_kind = 'user';
create unique index connection_shared on connection (workspace_id, integration_id) where owner_kind = 'shared';

-- A flow that a signed-in browser began ends only while that session lasts. origin is where it began and where the
-- provider sends the browser back to, when that is not the public URL.
alter table flow add column session_hash text;
alter table flow add column origin text;

alter table request_log add column user_id text;
