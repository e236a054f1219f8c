//! Copies of a live database.

use std::{fs, path::Path};

use super::*;
use crate::store::Kind;

/// What lies in a folder.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn mode(file: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(file).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn a_copy_is_private_whole_and_of_one_moment() {
    on_each(async |store| {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("copy of 1%.db");
        let Scene { ws, .. } = scene(&store).await;
        let made = store.backup(&to).await;
        if store.kind() == Kind::Postgres {
            assert!(matches!(made, Err(Error::NotSupported { .. })), "{made:?}");
            assert!(names(folder.path()).is_empty());
            return;
        }
        let made = made.unwrap();
        assert_eq!(
            (made.bytes, made.schema),
            (fs::metadata(&to).unwrap().len(), store.schema().await.unwrap().0)
        );
        assert_eq!(mode(&to), 0o600);
        assert_eq!(names(folder.path()), ["copy of 1%.db"]);
        begin(&store).await.audit(None, "after", "x").await.unwrap();

        let url = format!("sqlite://{}", to.display().to_string().replace('%', "%25"));
        let copy = Store::open(&url).await.unwrap();
        assert_eq!(copy.migrate().await.unwrap().from, made.schema);
        assert_eq!(read(&copy).await.workspace(&ws).await.unwrap().unwrap().name, "one");
        copy.close().await;
    })
    .await;
}

#[tokio::test]
async fn writing_goes_on_while_a_copy_is_made() {
    on_each(async |store| {
        if store.kind() == Kind::Postgres {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let Scene { ws, integration, .. } = scene(&store).await;
        // The writer is busy, its change not yet committed: the copy neither waits for it nor has it.
        let mut conn = begin(&store).await;
        conn.create_connection(&ws, &connection(&ws, &integration.id, None)).await.unwrap();
        store.backup(&folder.path().join("b.db")).await.unwrap();
        conn.commit().await.unwrap();
        let copy = Store::open(&format!("sqlite://{}", folder.path().join("b.db").display())).await.unwrap();
        let count = async |of: &Store| read(of).await.any_connections_by_status().await.unwrap().len();
        assert_eq!((count(&copy).await, count(&store).await), (0, 1));
        copy.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_backup_replaces_nothing_and_leaves_nothing_when_it_fails() {
    on_each(async |store| {
        if store.kind() == Kind::Postgres {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("b.db");
        scene(&store).await;
        fs::write(&to, "mine").unwrap();
        conflict(store.backup(&to).await);
        assert_eq!(fs::read_to_string(&to).unwrap(), "mine");
        fs::remove_file(&to).unwrap();
        std::os::unix::fs::symlink("/nowhere/at/all", &to).unwrap();
        conflict(store.backup(&to).await);
        fs::remove_file(&to).unwrap();

        let partial = folder.path().join("b.db.partial");
        fs::write(&partial, "theirs").unwrap();
        assert!(conflict(store.backup(&to).await).contains("b.db.partial"));
        assert_eq!(fs::read_to_string(&partial).unwrap(), "theirs");
        fs::remove_file(&partial).unwrap();

        for nowhere in [folder.path().join("no/such/b.db"), "no-file/..".into()] {
            assert!(matches!(store.backup(&nowhere).await, Err(Error::Invalid { .. })));
        }
        assert!(names(folder.path()).is_empty(), "{:?}", names(folder.path()));
    })
    .await;
}

#[tokio::test]
async fn a_damaged_database_gives_no_backup() {
    let folder = tempfile::tempdir().unwrap();
    let (file, to) = (folder.path().join("claviger.db"), folder.path().join("copies/b.db"));
    fs::create_dir(to.parent().unwrap()).unwrap();
    let url = format!("sqlite://{}", file.display());
    let store = Store::open(&url).await.unwrap();
    store.migrate().await.unwrap();
    assert_eq!(names(to.parent().unwrap()).len(), 0);
    let Scene { ws, integration, .. } = scene(&store).await;
    let mut conn = begin(&store).await;
    for _ in 0..400 {
        conn.create_connection(&ws, &connection(&ws, &integration.id, Some(&"x".repeat(200)))).await.unwrap();
    }
    conn.commit().await.unwrap();
    store.backup(&to).await.unwrap();
    fs::remove_file(&to).unwrap();
    store.close().await;

    let mut bytes = fs::read(&file).unwrap();
    let end = bytes.len();
    bytes[end - 64 * 1024..].fill(0xa5);
    fs::write(&file, bytes).unwrap();
    let store = Store::open(&url).await.unwrap();
    let failed = store.backup(&to).await;
    assert!(matches!(failed, Err(Error::Internal(_))), "{failed:?}");
    assert_eq!(names(to.parent().unwrap()), [""; 0]);
    store.close().await;
}
