//! What was erased is in no file any more.

use super::*;
use crate::store::Kind;

/// Like something sealed, and nowhere else.
fn canary(of: usize) -> String {
    format!("v1.k.wrapped.{}", format!("canary{of}sealed").repeat(40))
}

fn holds(store: &Store, text: &str) -> (bool, bool) {
    let file = store.file.clone().unwrap();
    let log = file.with_file_name(format!("{}-wal", file.file_name().unwrap().to_str().unwrap()));
    let has = |path: std::path::PathBuf| {
        let bytes = std::fs::read(path).unwrap_or_default();
        bytes.windows(text.len()).any(|some| some == text.as_bytes())
    };
    (has(file), has(log))
}

#[tokio::test]
async fn an_erased_credential_is_in_neither_of_the_files() {
    on_each(async |store| {
        if store.kind() == Kind::Postgres {
            assert!(store.scrub().await.unwrap(), "nothing is known of its files");
            return;
        }
        let Scene { ws, integration, .. } = scene(&store).await;
        let all: Vec<_> = (0..20).map(|_| connection(&ws, &integration.id, None)).collect();
        let mut conn = begin(&store).await;
        for (of, one) in all.iter().enumerate() {
            conn.create_connection(&ws, one).await.unwrap();
            let held = Credential { sealed: sealed(&canary(of)), ..credential(one, 1) };
            conn.create_credential(&ws, &held).await.unwrap();
        }
        conn.commit().await.unwrap();
        assert!(store.scrub().await.unwrap());
        assert_eq!(holds(&store, &canary(3)), (true, false), "it is looked for where it is");

        let mut conn = begin(&store).await;
        let newer = Credential { sealed: sealed("v1.k.w.newer"), version: 2, ..credential(&all[4], 2) };
        assert!(conn.replace_credential(&ws, &newer, 1).await.unwrap());
        assert!(conn.delete_connection(&ws, &all[3].id).await.unwrap());
        conn.commit().await.unwrap();
        assert!(store.scrub().await.unwrap());
        for gone in [3, 4] {
            assert_eq!(holds(&store, &canary(gone)), (false, false), "{gone}");
        }
        assert_eq!(holds(&store, &canary(5)), (true, false), "the others stay");
        let found = read(&store).await.credential(&ws, &all[5].id).await.unwrap().unwrap();
        assert_eq!(found.sealed.as_str(), canary(5));
    })
    .await;
}
