-- What calls came to: a row for some of them, and sums for all.

-- For whom a product's token spoke, the trace that the caller made the call part of, and more of its times.
alter table request_log add column customer_id text;
alter table request_log add column trace_id text;
alter table request_log add column waited_ms bigint;
alter table request_log add column first_byte_ms bigint;

-- Also by size: where the rows beyond a number begin is one step in this index.
drop index request_log_aging;
create index request_log_aging on request_log (at, id);

-- Every call is in one of these rows. An empty connection stands for those of too many at once to be told apart. Times
-- are sums, in microseconds; the rest are counts, by how long calls took until their last byte, in milliseconds.
create table call_rollup (
  workspace_id text not null references workspace (id) on delete cascade,
  minute bigint not null,
  integration_id text not null,
  connection_id text not null,
  status_class bigint not null,
  calls bigint not null,
  ours bigint not null,
  attempts bigint not null,
  bytes_in bigint not null,
  bytes_out bigint not null,
  waited_us bigint not null,
  first_byte_us bigint not null,
  duration_us bigint not null,
  to_5 bigint not null,
  to_10 bigint not null,
  to_25 bigint not null,
  to_50 bigint not null,
  to_100 bigint not null,
  to_250 bigint not null,
  to_500 bigint not null,
  to_1000 bigint not null,
  to_2500 bigint not null,
  to_10000 bigint not null,
  to_60000 bigint not null,
  longer bigint not null,
  primary key (workspace_id, minute, integration_id, connection_id, status_class)
);
create index call_rollup_aging on call_rollup (minute);
