//! What was told of a connection, told once more.

use super::{
    deliveries::{claim, settle, told},
    webhooks::endpoint,
    *,
};
use crate::store::After;

#[tokio::test]
async fn a_delivery_goes_to_the_end_of_its_line_unless_it_is_being_sent() {
    on_each(async |store| {
        let Scene { ws, other, integration, .. } = scene(&store).await;
        let of = connection(&ws, &integration.id, None);
        let to = endpoint(&ws, &EventKind::ALL);
        let mut conn = begin(&store).await;
        conn.create_connection(&ws, &of).await.unwrap();
        conn.create_endpoint(&ws, &to).await.unwrap();
        let first = told(&mut conn, &of, &to, T0).await;
        let second = told(&mut conn, &of, &to, later(1)).await;
        conn.commit().await.unwrap();
        assert_eq!(claim(&store, &to.id, 9, "a", later(2)).await, std::slice::from_ref(&first.id));
        assert!(settle(&store, &ws, &first.id, "a", After::Delivered).await);

        let mut conn = store.begin(Actor::System, later(5)).await.unwrap();
        assert!(!conn.requeue_last(&other, &first.id).await.unwrap());
        assert!(conn.requeue_last(&ws, &first.id).await.unwrap());
        conn.commit().await.unwrap();
        let listed = read(&store).await.deliveries(&ws, &first.event_id).await.unwrap().remove(0);
        assert_eq!((listed.nth, listed.attempts), (3, 0));
        assert_eq!((listed.next_at, listed.delivered_at), (Some(later(5)), None));

        assert_eq!(claim(&store, &to.id, 9, "b", later(6)).await, std::slice::from_ref(&second.id));
        let mut conn = store.begin(Actor::System, later(7)).await.unwrap();
        assert!(!conn.requeue_last(&ws, &second.id).await.unwrap(), "it is being sent");
        drop(conn);
        let mut conn = store.begin(Actor::System, later(67)).await.unwrap();
        assert!(conn.requeue_last(&ws, &second.id).await.unwrap(), "whoever sent it is no more");
        conn.commit().await.unwrap();
        assert!(!settle(&store, &ws, &second.id, "b", After::Delivered).await, "and has no say in it");
    })
    .await;
}

#[tokio::test]
async fn what_happened_to_a_connection_is_found_in_its_order() {
    on_each(async |store| {
        let Scene { ws, other, integration, .. } = scene(&store).await;
        let mut all = [(); 3].map(|()| connection(&ws, &integration.id, None));
        all.sort_by_key(|it| it.id.to_string());
        let [one, two, silent] = &all;
        let (to, another) = (endpoint(&ws, &EventKind::ALL), endpoint(&ws, &EventKind::ALL));
        let mut conn = begin(&store).await;
        for it in &all {
            conn.create_connection(&ws, it).await.unwrap();
        }
        for it in [&to, &another] {
            conn.create_endpoint(&ws, it).await.unwrap();
        }
        told(&mut conn, silent, &to, T0).await;
        let early = told(&mut conn, one, &to, T0).await;
        let late = told(&mut conn, one, &another, later(3)).await;
        let middle = told(&mut conn, one, &to, later(2)).await;
        told(&mut conn, two, &to, later(9)).await;

        let since = later(1);
        assert_eq!(conn.told_since(&ws, since, None, 9).await.unwrap(), [one.id.clone(), two.id.clone()]);
        assert_eq!(conn.told_since(&ws, since, None, 1).await.unwrap(), std::slice::from_ref(&one.id));
        assert_eq!(
            conn.told_since(&ws, since, Some(&one.id), 9).await.unwrap(),
            std::slice::from_ref(&two.id)
        );
        assert!(conn.told_since(&other, since, None, 9).await.unwrap().is_empty());
        let found = async |conn: &mut Conn, since| {
            let found = conn.events_since(&ws, &to.id, &one.id, since).await.unwrap();
            found.into_iter().map(|(event, delivery)| (event.id, delivery)).collect::<Vec<_>>()
        };
        let expected = vec![(middle.event_id, Some(middle.id)), (late.event_id, None)];
        assert_eq!(found(&mut conn, since).await, expected);
        assert_eq!(found(&mut conn, T0).await[0], (early.event_id, Some(early.id)));

        assert!(conn.hold_connection(&ws, &one.id).await.unwrap());
        assert!(!conn.hold_connection(&other, &one.id).await.unwrap());
        assert!(!conn.begin_redelivery(&other, &to.id).await.unwrap());
        assert!(conn.begin_redelivery(&ws, &to.id).await.unwrap());
        conn.commit().await.unwrap();
        let expected = format!("webhook_endpoint.redeliver {}", to.id);
        assert_eq!(audited(&store, &ws).await.last(), Some(&expected));
    })
    .await;
}
