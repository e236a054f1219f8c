use std::collections::BTreeSet;

use super::*;
use crate::id::{IntegrationId, WorkspaceId};

const HOUR: i64 = 3_600_000;

fn provider(auth: &str) -> Provider {
    let file = format!("key = \"x\"\nname = \"X\"\n{auth}\n");
    Provider::parse("x.toml", &file).unwrap()
}

fn code(refresh: &str) -> Provider {
    provider(&format!(
        "[oauth2.endpoints]\nauthorize_url = \"https://x.example/a\"\n\
         token_url = \"https://x.example/t\"\n[oauth2.refresh]\n{refresh}\n"
    ))
}

fn credential() -> Due {
    Due {
        workspace_id: WorkspaceId::new(),
        connection_id: ConnectionId::new(),
        integration_id: IntegrationId::new(),
        provider: "x".into(),
        version: 1,
        obtained_at: Millis(0),
        expires_at: Some(Millis(HOUR)),
        refresh_expires_at: None,
        last_used_at: None,
    }
}

#[test]
fn a_token_is_due_a_little_before_calls_would_wait_for_it() {
    let provider = code("");
    let mut moments = BTreeSet::new();
    for _ in 0..64 {
        let one = credential();
        let at = expiring_at(&provider, &one).unwrap();
        assert!((HOUR - 360_000..=HOUR - 330_000).contains(&at.0), "{at:?}");
        assert_eq!(expiring_at(&provider, &one), Some(at), "always the same");
        assert!(!is_due(&provider, &one, Millis(at.0 - 1)) && is_due(&provider, &one, at));
        moments.insert(at);
    }
    assert!(moments.len() > 20, "they are spread: {moments:?}");
    let endless = Due { expires_at: None, ..credential() };
    assert!(!is_due(&provider, &endless, Millis(i64::MAX)));
}

#[test]
fn a_provider_that_refuses_an_earlier_refresh_is_not_asked_earlier() {
    let provider = code("margin = 30");
    for _ in 0..16 {
        let one = credential();
        assert!(!is_due(&provider, &one, Millis(HOUR - 30_001)));
        assert!(is_due(&provider, &one, Millis(HOUR - 30_000)));
    }
}

#[test]
fn what_dies_of_idleness_is_due_when_two_thirds_are_over() {
    let provider = code("idle_lifetime = 604800");
    let week = 604_800_000;
    for _ in 0..16 {
        let one = Due { expires_at: None, refresh_expires_at: Some(Millis(week)), ..credential() };
        let at = idle_at(&provider, &one).unwrap().0;
        assert!((week * 6 / 10..=week * 2 / 3).contains(&at), "{at}");
        assert!(!is_due(&provider, &one, Millis(at - 1)) && is_due(&provider, &one, Millis(at)));
        let without = Due { refresh_expires_at: None, ..one };
        assert!(!is_due(&provider, &without, Millis(i64::MAX)));
    }
}

#[test]
fn what_can_be_had_at_any_time_is_renewed_while_it_is_used() {
    let endpoint = "[oauth2.endpoints]\ntoken_url = \"https://x.example/t\"\n";
    let client = provider(&format!("[oauth2]\ngrant = \"client_credentials\"\n{endpoint}"));
    let late = Millis(HOUR);
    for (last_used_at, want) in [(None, false), (Some(-1), false), (Some(0), true), (Some(HOUR), true)] {
        let one = Due { last_used_at: last_used_at.map(Millis), ..credential() };
        assert_eq!(is_due(&client, &one, late), want, "{last_used_at:?}");
    }
    assert_eq!(kept(&client), Kept::WhileUsed);
    assert_eq!(kept(&code("")), Kept::Alive);
    assert_eq!(kept(&code("with = \"access_token\"")), Kept::Alive);
    assert_eq!(kept(&provider("[bearer]")), Kept::Not);
    let used = Due { last_used_at: Some(late), ..credential() };
    let ours = provider("[workspace_token]\n[api]\nheaders = { Authorization = \"Bearer {token}\" }");
    assert!(!is_due(&ours, &used, late), "it is made here");
}
