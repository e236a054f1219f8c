//! A webhook that had much to be sent is removed bit by bit, whatever the database does meanwhile.

use std::time::Duration;

use claviger_engine::{domain::event::EventKind, id::EndpointId, store::trial, webhook::emit};

use super::{connect, delete, get, webhook};
use crate::support::on_each;

#[tokio::test]
async fn a_removed_webhook_gets_nothing_new_and_leaves_nothing() {
    on_each(async |app| {
        let hook = webhook(app).await;
        let of = connect(app, &app.acme, &[]).await;
        let of = app.connection(&app.acme, &of).await;
        let tell = async |times: usize| {
            app.change(async |to| {
                for _ in 0..times {
                    emit(to.conn, EventKind::ConnectionUpdated, &of, of.created_at).await?;
                }
                Ok(())
            })
            .await;
        };
        // More than go at once; and the database fails when the first are to go.
        tell(1001).await;
        trial::lose_table(&app.broker.store, "delivery").await;
        let path = format!("/v1/webhooks/{hook}");
        let id = EndpointId::parse(&hook).unwrap();
        let (removed, ()) = tokio::join!(delete(app, &path), async {
            loop {
                let found = app.read().await.endpoint(&app.acme.workspace, &id).await.unwrap();
                if found.expect("still there").disabled_at.is_some() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            // None of them is written while it goes: the table is not even there.
            tell(1).await;
            trial::find_table(&app.broker.store, "delivery").await;
            app.drift(10).await;
        });
        assert_eq!(removed.status, 204, "{}", removed.text());
        get(app, &path).await.assert_problem(404, "not_found");
        delete(app, &path).await.assert_problem(404, "not_found");
        let all = trial::contents(&app.broker.store).await;
        assert!(all.iter().all(|(place, _)| !place.starts_with("delivery.")));
    })
    .await;
}
