//! Flows whose codes are entered elsewhere: of several processes one asks, and a click gets one code.

use super::*;
use crate::store::{DeviceGiven, FlowEnd};

fn given<'a>(
    was: Option<&'a Sealed>,
    device: &'a Sealed,
    endpoints: &'a Endpoints,
    inputs: &'a BTreeMap<String, String>,
) -> DeviceGiven<'a> {
    DeviceGiven { was, device, endpoints, inputs, poll_at: later(5), expires_at: later(900) }
}

#[tokio::test]
async fn a_code_is_given_once_and_asked_about_once() {
    on_each(async |store| {
        let Scene { ws, other, integration, .. } = scene(&store).await;
        let made = flow(&integration, later(600));
        let (one, two) = (sealed("v1.one"), sealed("v1.two"));
        let (at, eu) = (endpoints(), BTreeMap::from([("region".to_owned(), "eu".to_owned())]));
        let mut conn = begin(&store).await;
        conn.create_flow(&ws, &made).await.unwrap();
        assert!(!conn.give_device(&other, &made.id, &given(None, &one, &at, &eu)).await.unwrap());
        assert!(!conn.give_device(&ws, &made.id, &given(Some(&two), &one, &at, &eu)).await.unwrap());
        assert!(conn.give_device(&ws, &made.id, &given(None, &one, &at, &eu)).await.unwrap());
        assert!(
            !conn.give_device(&ws, &made.id, &given(None, &two, &at, &eu)).await.unwrap(),
            "of two clicks"
        );
        let found = conn.any_flow(&made.id).await.unwrap().unwrap();
        assert_eq!(
            (found.device, found.poll_at, found.expires_at),
            (Some(one.clone()), Some(later(5)), later(900))
        );
        assert_eq!((found.endpoints, found.inputs), (Some(endpoints()), eu.clone()));
        conn.commit().await.unwrap();

        let mut conn = begin(&store).await;
        assert!(conn.any_flows_to_poll(later(4), 9).await.unwrap().is_empty());
        assert_eq!(conn.any_flows_to_poll(later(5), 9).await.unwrap()[0].id, made.id);
        assert!(conn.any_flows_to_poll(later(5), 0).await.unwrap().is_empty());
        assert_eq!(conn.any_flows_to_poll(later(899), 9).await.unwrap().len(), 1);
        assert!(conn.any_flows_to_poll(later(900), 9).await.unwrap().is_empty(), "it is over");
        assert!(conn.any_move_poll(&made.id, later(5), Some(later(10))).await.unwrap());
        assert!(!conn.any_move_poll(&made.id, later(5), Some(later(10))).await.unwrap(), "somebody did");
        assert!(!conn.any_renew_device(&made.id, later(5), Some(later(20)), &two).await.unwrap());
        assert!(conn.any_renew_device(&made.id, later(10), Some(later(20)), &two).await.unwrap());
        let found = conn.any_flow(&made.id).await.unwrap().unwrap();
        assert_eq!((found.device, found.poll_at), (Some(two.clone()), Some(later(20))));
        assert!(conn.any_move_poll(&made.id, later(20), None).await.unwrap());
        assert!(conn.any_flows_to_poll(later(9_999), 9).await.unwrap().is_empty(), "nobody asks any more");
        // Another code takes the place of the one that was seen.
        assert!(conn.give_device(&ws, &made.id, &given(Some(&two), &one, &at, &eu)).await.unwrap());
        conn.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn what_nobody_vouches_for_is_dropped_once() {
    on_each(async |store| {
        let Scene { ws, other, integration, .. } = scene(&store).await;
        let (outcome, code) = (sealed("v1.outcome"), sealed("v1.code"));
        let (device, at, none) = (sealed("v1.one"), endpoints(), BTreeMap::new());
        for spent in [false, true] {
            let made = flow(&integration, later(900));
            let mut conn = begin(&store).await;
            conn.create_flow(&ws, &made).await.unwrap();
            assert!(conn.give_device(&ws, &made.id, &given(None, &device, &at, &none)).await.unwrap());
            assert!(!conn.any_drop_unvouched(&made.id, later(5)).await.unwrap(), "it has not ended");
            let state = format!("5f0c{spent}");
            assert!(conn.start_flow(&ws, &made.id, &state, None, &at, &none).await.unwrap());
            conn.any_take_flow(&state, "polled", T0).await.unwrap().unwrap();
            assert!(!conn.any_move_poll(&made.id, later(5), None).await.unwrap(), "it has ended");
            assert!(
                !conn.give_device(&ws, &made.id, &given(Some(&device), &code, &at, &none)).await.unwrap()
            );
            let hash = format!("c0de{spent}");
            let end = FlowEnd {
                outcome: &outcome,
                provider_code: Some(&code),
                code_hash: Some(&hash),
                code_expires_at: Some(T0),
                connection_id: None,
            };
            conn.finish_flow(&ws, &made.id, &end).await.unwrap();
            let found = conn.any_flow(&made.id).await.unwrap().unwrap();
            assert!(found.device.is_none() && found.poll_at.is_none());
            assert!(missing(conn.look_at_flow(&other, &made.id, T0).await));
            conn.look_at_flow(&ws, &made.id, T0).await.unwrap();
            let looked_at = conn.any_flows_to_poll(later(9_999), 9).await.unwrap();
            assert_eq!(looked_at[0].id, made.id, "however old it is");
            if spent {
                conn.take_code(&ws, &hash, Millis(T0.0 - 1)).await.unwrap().unwrap();
                assert!(conn.any_flow(&made.id).await.unwrap().unwrap().poll_at.is_none(), "nobody looks");
                conn.look_at_flow(&ws, &made.id, T0).await.unwrap();
            }
            assert_eq!(conn.any_drop_unvouched(&made.id, T0).await.unwrap(), !spent);
            assert!(!conn.any_drop_unvouched(&made.id, T0).await.unwrap(), "once");
            assert_eq!(conn.any_flow(&made.id).await.unwrap().unwrap().provider_code.is_some(), spent);
            conn.commit().await.unwrap();
        }
    })
    .await;
}
