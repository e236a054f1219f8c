//! From schema 1 to schema 2: deliveries that were written before there was an order get their place in it.

use super::*;
use crate::store::{Migrated, trial::databases};

const FIRST: &str = include_str!("../../../migrations/0001_foundation.sql");

/// A database as schema 1 had it: two endpoints, two connections, events about them in no particular order.
const ROWS: &str = "
insert into workspace (id, name, client_id, settings, created_at, updated_at) values ('ws_1', 'w', 'c', '{}', 1, 1);
insert into webhook_endpoint (id, workspace_id, name, url, events, secret, disabled_at, created_at, updated_at) values
  ('wh_1', 'ws_1', 'one', 'https://a.example', '[\"connection.created\"]', 'v1.a', null, 1, 1),
  ('wh_2', 'ws_1', 'two', 'https://b.example', '[]', 'v1.b', 5, 1, 1);
insert into event (id, workspace_id, kind, connection_id, data, created_at) values
  ('evt_1', 'ws_1', 'connection.created', 'conn_1', '{}', 10),
  ('evt_2', 'ws_1', 'connection.created', 'conn_2', '{}', 20),
  ('evt_3', 'ws_1', 'connection.expired', 'conn_1', '{}', 30),
  ('evt_4', 'ws_1', 'connection.deleted', 'conn_1', '{}', 30);
insert into delivery (id, workspace_id, event_id, endpoint_id, attempts, next_at, delivered_at, created_at) values
  ('dlv_9', 'ws_1', 'evt_1', 'wh_1', 0, 10, null, 10),
  ('dlv_2', 'ws_1', 'evt_2', 'wh_1', 0, 20, null, 20),
  ('dlv_3', 'ws_1', 'evt_3', 'wh_1', 0, 30, null, 30),
  ('dlv_4', 'ws_1', 'evt_4', 'wh_1', 0, 30, null, 30),
  ('dlv_5', 'ws_1', 'evt_4', 'wh_2', 0, 30, null, 30);
";

#[tokio::test]
async fn what_waited_under_schema_1_goes_out_in_order_under_schema_2() {
    for database in databases().await {
        let store = Store::open(&database.url).await.unwrap();
        let table = "create table schema_migration \
                     (number bigint not null primary key, name text not null, checksum text not null)";
        let applied = format!(
            "insert into schema_migration (number, name, checksum) values (1, 'foundation', '{}')",
            crate::vault::hash::token(FIRST)
        );
        for text in [FIRST, table, &applied, ROWS] {
            sqlx::raw_sql(sqlx::AssertSqlSafe(text.to_owned())).execute(&store.write).await.unwrap();
        }
        let migrated = store.migrate().await.unwrap();
        assert_eq!(migrated.from, 1);
        assert_eq!(store.migrate().await.unwrap(), Migrated { from: migrated.to, to: migrated.to });

        let ws = WorkspaceId::from_row("ws_1".to_owned());
        let mut conn = read(&store).await;
        let mut found = Vec::new();
        for to in conn.endpoints(&ws, &ALL).await.unwrap() {
            assert_eq!(
                (to.previous_secret, to.previous_secret_until, to.disabled_reason),
                (None, None, None)
            );
            for one in conn.deliveries_of(&ws, &to.id, None, &ALL).await.unwrap() {
                let one = one.delivery;
                found.push((one.id.to_string(), one.connection_id.to_string(), one.nth));
            }
        }
        found.sort();
        let expected = [
            ("dlv_2", "conn_2", 1),
            ("dlv_3", "conn_1", 2),
            ("dlv_4", "conn_1", 3),
            ("dlv_5", "conn_1", 1),
            ("dlv_9", "conn_1", 1),
        ];
        assert_eq!(found, expected.map(|(id, of, nth)| (id.to_owned(), of.to_owned(), nth)));
        let waiting = conn.any_waiting_endpoints(T0).await.unwrap();
        assert_eq!(waiting.len(), 1, "the disabled one waits for nothing");
        drop(conn);
        store.close().await;
        database.remove().await;
    }
}
