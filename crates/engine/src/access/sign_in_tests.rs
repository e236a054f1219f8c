use super::*;

fn attempt<'a>(workspace: &'a WorkspaceId, username: &'a str, address: &'a str) -> Attempt<'a> {
    Attempt { workspace, username, password: Secret::new("a password"), address }
}

#[test]
fn a_name_is_one_account_however_it_is_typed() {
    let (ws, other) = (WorkspaceId::new(), WorkspaceId::new());
    let keys = |ws, name, address| Keys::of(&attempt(ws, name, address));
    assert_eq!(keys(&ws, "Ärmel", "a").account, keys(&ws, " äRMEL ", "b").account);
    assert_ne!(keys(&ws, "a", "a").account, keys(&other, "a", "a").account);
    assert_ne!(keys(&ws, "a", "a").account_and_address, keys(&ws, "a", "b").account_and_address);
    assert_ne!(keys(&ws, "a", "a").account_and_address, keys(&ws, "b", "a").account_and_address);
}

#[tokio::test]
async fn each_limit_counts_what_was_wrong() {
    let ws = WorkspaceId::new();
    let sign_ins = SignIns::default();
    let tries = |name: String, address: String| {
        let (ws, sign_ins) = (&ws, &sign_ins);
        async move { sign_ins.take(&Keys::of(&attempt(ws, &name, &address)), Millis(0)).is_ok() }
    };
    for n in 0..12 {
        assert_eq!(tries("alice".into(), "one".into()).await, n < 10, "{n}");
    }
    let mut right = 0;
    for n in 0..60 {
        right += usize::from(tries("alice".into(), format!("a{n}")).await);
    }
    assert_eq!(right, 40, "an account has fifty, from wherever");
    right = 0;
    for n in 0..200 {
        right += usize::from(tries(format!("user{n}"), "one".into()).await);
    }
    assert_eq!(right, 88, "an address has a hundred, for whatever names");
    assert!(tries("somebody".into(), "elsewhere".into()).await);
}

#[tokio::test]
async fn few_wait_and_the_rest_is_sent_away() {
    let sign_ins = Arc::new(SignIns::default());
    let turns = sign_ins.checks.clone().acquire_many_owned(2).await.unwrap();
    let check = |sign_ins: Arc<SignIns>| async move {
        sign_ins.is_right(Secret::new("x"), "no hash".to_owned()).await
    };
    let waiting: Vec<_> = (0..IN_LINE).map(|_| tokio::spawn(check(sign_ins.clone()))).collect();
    while sign_ins.line.available_permits() > 0 {
        tokio::task::yield_now().await;
    }
    assert!(matches!(check(sign_ins.clone()).await, Err(Error::Limited { .. })));
    drop(turns);
    for one in waiting {
        assert!(!one.await.unwrap().unwrap());
    }
    assert_eq!((sign_ins.line.available_permits(), sign_ins.checks.available_permits()), (IN_LINE, AT_ONCE));
}

/// A user with this password hash, disabled or not.
fn user(hash: Option<&str>, disabled_at: Option<Millis>) -> User {
    User {
        id: crate::id::UserId::new(),
        workspace_id: WorkspaceId::new(),
        username: "alice".to_owned(),
        display_name: None,
        email: None,
        password_hash: hash.map(str::to_owned),
        superuser: false,
        permissions: Vec::new(),
        disabled_at,
        created_at: Millis(0),
        updated_at: Millis(0),
    }
}

#[tokio::test]
async fn whoever_it_is_a_password_is_worked_on() {
    let sign_ins = Arc::new(SignIns::default());
    let real = hash::password(&Secret::new("a password")).unwrap();
    let all = [
        (None, false),
        (Some(user(None, None)), false),
        (Some(user(Some(&real), Some(Millis(0)))), false),
        (Some(user(Some("$argon2id$other"), None)), false),
        (Some(user(Some(&real), None)), true),
    ];
    for (user, right) in all {
        // Nobody gets a turn: whoever is answered all the same was not worked on.
        let turns = sign_ins.checks.clone().acquire_many_owned(2).await.unwrap();
        let (asked, ws) = (sign_ins.clone(), WorkspaceId::new());
        let check = tokio::spawn(async move {
            asked.check(&attempt(&ws, "alice", "one"), user, Millis(0)).await.unwrap().is_some()
        });
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert!(!check.is_finished());
        drop(turns);
        assert_eq!(check.await.unwrap(), right);
    }
}
