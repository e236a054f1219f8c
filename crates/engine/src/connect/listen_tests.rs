//! Places: taken, bounded, and free again.

use super::*;

fn room() -> Arc<Listeners> {
    Arc::new(Listeners::bounded(Bounds { per_address: 2, all: 3, ..Bounds::default() }))
}

fn enter(room: &Arc<Listeners>, request: &str, address: &str) -> Result<Listener> {
    room.enter(request.to_owned(), address)
}

fn heard(text: &str) -> Heard {
    Heard { workspace_id: WorkspaceId::new(), ended: Ended::Connected(text.to_owned()) }
}

#[tokio::test]
async fn places_are_bounded_by_address_and_altogether_and_are_free_again() {
    let room = room();
    let one = enter(&room, "a", "x").unwrap();
    let _two = enter(&room, "a", "x").unwrap();
    assert!(matches!(enter(&room, "b", "x"), Err(Error::Limited { .. })), "two from one address");
    let _three = enter(&room, "a", "y").unwrap();
    assert!(matches!(enter(&room, "b", "z"), Err(Error::Limited { .. })), "three altogether");
    assert_eq!(room.len(), 3);
    drop(one);
    assert_eq!(room.len(), 2);
    let four = enter(&room, "b", "x").unwrap();
    room.tell("b", &heard("c"));
    assert_eq!(room.len(), 3, "who was told still has its place until it leaves");
    drop(four);
    let waiting = room.lock();
    assert_eq!((waiting.all, waiting.by_address.len(), waiting.by_request.len()), (2, 2, 1));
}

#[tokio::test]
async fn everybody_who_waits_for_a_request_is_told_and_nobody_else() {
    let room = Arc::new(Listeners::default());
    let mut all =
        [("a", "x"), ("a", "y"), ("b", "x")].map(|(request, from)| enter(&room, request, from).unwrap());
    room.tell("a", &heard("c"));
    for listener in &mut all[..2] {
        assert_eq!(listener.heard().await.unwrap().ended, Ended::Connected("c".to_owned()));
    }
    let mut waits = std::pin::pin!(all[2].heard());
    assert!(futures_util::poll!(&mut waits).is_pending());
    room.close();
    assert_eq!(waits.await, None);
    assert!(matches!(enter(&room, "a", "z"), Err(Error::Limited { .. })), "nobody comes in any more");
    assert!(!room.is_wanted());
}

#[test]
fn an_id_is_long_and_plain() {
    for good in ["0123456789abcdef", &"a".repeat(128), "A_b-0123456789xyz"] {
        assert!(request_hash(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        "0123456789abcde",
        &"a".repeat(129),
        "0123456789abcde ",
        "0123456789abcde/",
        "0123456789abcd\u{e9}",
    ] {
        assert!(request_hash(bad).is_err(), "{bad}");
    }
}
