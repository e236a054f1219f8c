//! Flows of pages in frames.

use super::*;

const WAY: Option<&str> = Some("oauth");

#[tokio::test]
async fn a_way_is_chosen_while_the_flow_is_open() {
    on_each(async |store| {
        let Scene { ws, other, integration, .. } = scene(&store).await;
        let (made, old) = (flow(&integration, later(600)), flow(&integration, T0));
        let of = Integration { version: 7, callback: CallbackKind::Own, ..integration };
        let mut conn = begin(&store).await;
        conn.create_flow(&ws, &made).await.unwrap();
        conn.create_flow(&ws, &old).await.unwrap();
        let said = BTreeMap::from([("region".to_owned(), "eu".to_owned())]);
        assert!(!conn.choose_flow_way(&other, &made.id, WAY, &of, &said).await.unwrap());
        assert!(!conn.choose_flow_way(&ws, &old.id, WAY, &of, &said).await.unwrap(), "it is too old");
        assert!(conn.choose_flow_way(&ws, &made.id, WAY, &of, &said).await.unwrap());
        let found = conn.any_flow(&made.id).await.unwrap().unwrap();
        assert_eq!((found.auth_option.as_deref(), found.integration_version), (WAY, 7));
        assert_eq!((found.callback, found.inputs), (CallbackKind::Own, said));
        assert!(conn.choose_flow_way(&ws, &made.id, None, &of, &inputs()).await.unwrap());
        assert_eq!(conn.any_flow(&made.id).await.unwrap().unwrap().auth_option, None);
        assert!(conn.start_flow(&ws, &made.id, "state", None, &endpoints(), &inputs()).await.unwrap());
        assert!(!conn.choose_flow_way(&ws, &made.id, WAY, &of, &inputs()).await.unwrap(), "it is under way");
    })
    .await;
}

#[tokio::test]
async fn a_flow_follows_one_request_at_a_time_and_lives_until_then() {
    on_each(async |store| {
        let Scene { ws, other, integration, .. } = scene(&store).await;
        let (made, old) = (flow(&integration, later(600)), flow(&integration, T0));
        let mut conn = begin(&store).await;
        conn.create_flow(&ws, &made).await.unwrap();
        conn.create_flow(&ws, &old).await.unwrap();
        assert!(!conn.follow_request(&other, &made.id, "first", later(900)).await.unwrap());
        assert!(!conn.follow_request(&ws, &old.id, "first", later(900)).await.unwrap(), "it is too old");
        assert!(conn.follow_request(&ws, &made.id, "first", later(900)).await.unwrap());
        assert!(conn.follow_request(&ws, &made.id, "second", later(950)).await.unwrap());
        let found = conn.any_flow(&made.id).await.unwrap().unwrap();
        assert_eq!((found.request.as_deref(), found.expires_at), (Some("second"), later(950)));
        assert!(!conn.unfollow_request(&ws, &made.id, "first").await.unwrap(), "it follows another");
        assert!(!conn.unfollow_request(&other, &made.id, "second").await.unwrap());
        assert!(conn.unfollow_request(&ws, &made.id, "second").await.unwrap());
        assert_eq!(conn.any_flow(&made.id).await.unwrap().unwrap().request, None);
        assert!(conn.start_flow(&ws, &made.id, "state", None, &endpoints(), &inputs()).await.unwrap());
        assert!(!conn.follow_request(&ws, &made.id, "third", later(990)).await.unwrap(), "it is under way");
    })
    .await;
}
