//! Processes announce themselves, are seen while they live, and are forgotten.

use super::*;
use crate::{domain::process::Process, id::ProcessId};

fn process(keys: &[&str], started_at: Millis) -> Process {
    Process {
        id: ProcessId::new(),
        version: "1.2.3".to_owned(),
        key_ids: keys.iter().map(|&key| key.to_owned()).collect(),
        started_at,
        seen_at: started_at,
    }
}

#[tokio::test]
async fn a_process_is_seen_as_it_last_announced_itself() {
    on_each(async |store| {
        let (old, mut new) = (process(&["k1"], T0), process(&["k2", "k1"], later(5)));
        let mut conn = begin(&store).await;
        for process in [&new, &old] {
            conn.any_announce_process(process).await.unwrap();
        }
        assert_eq!(conn.any_processes(T0).await.unwrap(), [old.clone(), new.clone()], "the oldest first");
        assert_eq!(conn.any_processes(later(1)).await.unwrap(), [new.clone()], "by when they were seen");

        (new.key_ids, new.version, new.seen_at) = (vec!["k2".into()], "1.2.4".into(), later(20));
        conn.any_announce_process(&new).await.unwrap();
        assert_eq!(conn.any_processes(later(20)).await.unwrap(), [new.clone()], "again is over, not beside");
        assert_eq!(conn.any_processes(T0).await.unwrap().len(), 2);

        assert!(conn.any_forget_process(&new.id).await.unwrap());
        assert!(!conn.any_forget_process(&new.id).await.unwrap());
        assert_eq!(conn.any_processes(T0).await.unwrap(), [old]);
    })
    .await;
}

#[tokio::test]
async fn processes_that_fell_silent_are_purged() {
    on_each(async |store| {
        let (silent, live) = (process(&["k1"], T0), process(&["k1"], later(60)));
        let mut conn = begin(&store).await;
        conn.any_announce_process(&silent).await.unwrap();
        conn.any_announce_process(&live).await.unwrap();
        assert_eq!(conn.any_purge_processes(T0).await.unwrap(), 0);
        assert_eq!(conn.any_purge_processes(later(60)).await.unwrap(), 1);
        assert_eq!(conn.any_processes(Millis(0)).await.unwrap(), [live]);
    })
    .await;
}
