//! What is sealed opens in its own place with its own key, and nowhere else.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use proptest::prelude::*;

use super::*;

const AAD: Aad<'static> = Aad { workspace: "ws_a", record: "conn_1", field: "credential.sealed" };
const CANARY: &str = "canary-e0f1c7-plaintext";

fn entry(id: &str, byte: u8) -> String {
    format!("{id}:{}", BASE64_STANDARD.encode([byte; 32]))
}

fn vault(ring: &str) -> Vault {
    Vault::new(KeyRing::parse(ring).unwrap())
}

fn opens(vault: &Vault, aad: &Aad<'_>, sealed: &Sealed) -> bool {
    vault.open(aad, sealed).is_ok_and(|plain| plain.expose() == CANARY)
}

#[test]
fn a_seal_opens_only_in_its_own_place() {
    let vault = vault(&entry("k1", 1));
    let sealed = vault.seal(&AAD, &Secret::new(CANARY)).unwrap();
    assert!(opens(&vault, &AAD, &sealed));
    for moved in [
        Aad { workspace: "ws_b", ..AAD },
        Aad { record: "conn_2", ..AAD },
        Aad { field: "integration.client_secret", ..AAD },
        // The same letters, cut elsewhere.
        Aad { workspace: "ws_ac", record: "onn_1", ..AAD },
    ] {
        let error = vault.open(&moved, &sealed).err().unwrap();
        assert!(matches!(error, Error::Internal(_)));
        assert!(!format!("{error:?}").contains(CANARY));
    }
}

#[test]
fn another_root_key_does_not_open_even_under_the_same_id() {
    let sealed = vault(&entry("k1", 1)).seal(&AAD, &Secret::new(CANARY)).unwrap();
    assert!(vault(&entry("k1", 2)).open(&AAD, &sealed).is_err());
    assert!(vault(&entry("k2", 1)).open(&AAD, &sealed).is_err());
    // The id is bound too: the right key under a forged id stays shut.
    let forged = Sealed::from_row(sealed.as_str().replacen(".k1.", ".k2.", 1));
    assert!(vault(&entry("k2", 1)).open(&AAD, &forged).is_err());
}

#[test]
fn after_rotation_the_first_key_seals_and_the_second_still_opens() {
    let old = vault(&entry("k1", 1)).seal(&AAD, &Secret::new(CANARY)).unwrap();
    let rotated = vault(&format!(" {} ,\n{}\n", entry("k2", 2), entry("k1", 1)));
    assert_eq!(rotated.sealing_key_id(), "k2");
    assert!(opens(&rotated, &AAD, &old));
    let new = rotated.seal(&AAD, &Secret::new(CANARY)).unwrap();
    assert_eq!((old.root_key_id(), new.root_key_id()), (Some("k1"), Some("k2")));
    assert!(opens(&vault(&entry("k2", 2)), &AAD, &new));
}

#[test]
fn wrapped_anew_it_opens_with_the_new_key_alone_and_its_body_is_as_it_was() {
    let old = vault(&entry("k1", 1)).seal(&AAD, &Secret::new(CANARY)).unwrap();
    let both = vault(&format!("{},{}", entry("k2", 2), entry("k1", 1)));
    let anew = both.rewrap(&AAD, &old).unwrap().unwrap();
    assert_eq!((old.root_key_id(), anew.root_key_id()), (Some("k1"), Some("k2")));
    assert!(old.body() == anew.body() && old.parts().unwrap().wrapped != anew.parts().unwrap().wrapped);
    assert!(opens(&vault(&entry("k2", 2)), &AAD, &anew) && opens(&both, &AAD, &anew));
    assert!(!opens(&vault(&entry("k1", 1)), &AAD, &anew));
    assert!(!opens(&both, &Aad { record: "conn_2", ..AAD }, &anew));
    assert!(both.rewrap(&AAD, &anew).unwrap().is_none(), "nothing is left to do");
    assert_eq!(both.key_ids(), ["k2", "k1"]);
}

#[test]
fn a_data_key_is_wrapped_for_one_place() {
    let both = vault(&format!("{},{}", entry("k2", 2), entry("k1", 1)));
    let old = vault(&entry("k1", 1)).seal(&AAD, &Secret::new(CANARY)).unwrap();
    for sealed in [both.rewrap(&AAD, &old).unwrap().unwrap(), old] {
        let unwraps = |aad: &Aad<'_>| both.data_key(aad, &sealed.parts().unwrap()).is_ok();
        assert!(unwraps(&AAD));
        for moved in [
            Aad { workspace: "ws_b", ..AAD },
            Aad { record: "conn_2", ..AAD },
            Aad { field: "flow.outcome", ..AAD },
        ] {
            assert!(!unwraps(&moved), "whatever body is beside it");
        }
    }
}

#[test]
fn what_does_not_open_is_not_wrapped_anew() {
    let both = vault(&format!("{},{}", entry("k2", 2), entry("k1", 1)));
    let seal = |aad| vault(&entry("k1", 1)).seal(aad, &Secret::new(CANARY)).unwrap();
    let there = Aad { record: "conn_2", ..AAD };
    let (mine, twin, theirs) = (seal(&AAD), seal(&AAD), seal(&there));
    let mix = |wrapped: &Sealed, body: &Sealed| {
        let (wrapped, body) = (wrapped.parts().unwrap().wrapped, body.parts().unwrap().body);
        Sealed::from_row(format!("v1.k1.{wrapped}.{body}"))
    };
    let refused =
        |aad: &Aad<'_>, sealed: &Sealed| both.open(aad, sealed).is_err() && both.rewrap(aad, sealed).is_err();
    assert!(!refused(&AAD, &mix(&mine, &mine)) && !refused(&there, &mix(&theirs, &theirs)));
    assert!(refused(&AAD, &theirs), "the whole text of another row");
    assert!(refused(&AAD, &mix(&theirs, &mine)), "the wrapped key of another row");
    assert!(refused(&AAD, &mix(&mine, &theirs)), "the body of another row");
    assert!(refused(&AAD, &mix(&mine, &twin)), "the body of another time");
    assert!(refused(&AAD, &mix(&twin, &mine)), "the wrapped key of another time");
    for moved in [Aad { workspace: "ws_b", ..AAD }, Aad { field: "flow.outcome", ..AAD }] {
        assert!(refused(&moved, &mine));
    }
    let unknown = Sealed::from_row(mine.as_str().replacen(".k1.", ".k0.", 1));
    assert!(refused(&AAD, &unknown) && refused(&AAD, &Sealed::from_row("v1.k1.AAAA".into())));
    let error = format!("{:?}", both.rewrap(&AAD, &unknown).err().unwrap());
    assert!(error.contains("conn_1") && !error.contains(CANARY) && !error.contains(mine.body().unwrap()));
}

#[test]
fn each_field_is_bound_to_a_name_of_its_own() {
    let names: std::collections::BTreeSet<_> = Field::ALL.map(Field::as_str).into();
    assert_eq!(names.len(), Field::ALL.len());
    let vault = vault(&entry("k1", 1));
    let ws = crate::id::WorkspaceId::new();
    for field in Field::ALL {
        let sealed = vault.seal(&field.of(&ws, "r"), &Secret::new(CANARY)).unwrap();
        for other in Field::ALL {
            assert_eq!(opens(&vault, &other.of(&ws, "r"), &sealed), other == field);
        }
    }
}

#[test]
fn no_two_seals_are_alike_and_none_shows_its_text() {
    let vault = vault(&entry("k1", 1));
    let seals: Vec<_> = (0..20).map(|_| vault.seal(&AAD, &Secret::new(CANARY)).unwrap()).collect();
    for (at, sealed) in seals.iter().enumerate() {
        let parts = sealed.parts().unwrap();
        for other in &seals[..at] {
            let other = other.parts().unwrap();
            assert!(parts.wrapped != other.wrapped && parts.body != other.body);
        }
        for part in [parts.wrapped, parts.body] {
            let bytes = BASE64_URL_SAFE_NO_PAD.decode(part).unwrap();
            assert!(!bytes.windows(6).any(|w| CANARY.as_bytes().windows(6).any(|c| c == w)));
        }
        assert_eq!(format!("{sealed:?}"), "Sealed(…)");
    }
}

#[test]
fn any_changed_letter_keeps_it_shut() {
    let vault = vault(&entry("k1", 1));
    let sealed = vault.seal(&AAD, &Secret::new(CANARY)).unwrap();
    for at in 0..sealed.as_str().len() {
        let mut text = sealed.as_str().to_owned();
        let letter = if &text[at..=at] == "A" { "B" } else { "A" };
        text.replace_range(at..=at, letter);
        assert!(vault.open(&AAD, &Sealed::from_row(text)).is_err(), "letter {at}");
    }
}

#[test]
fn a_ring_that_can_not_be_read_is_refused_without_showing_it() {
    let short = BASE64_STANDARD.encode([7; 31]);
    let good = BASE64_STANDARD.encode([7; 32]);
    for ring in [
        String::new(),
        " , ".to_owned(),
        good.clone(),
        format!("k1:{short}"),
        format!("k.1:{good}"),
        format!(":{good}"),
        "k1:***".to_owned(),
        format!("k1:{good},,k2:{good}"),
        format!("k1:{good},k1:{good}"),
    ] {
        let error = KeyRing::parse(&ring).err().unwrap_or_else(|| panic!("accepted {ring}"));
        assert!(matches!(error, Error::Invalid { field: "master_key", .. }), "{error}");
        let said = format!("{error} {error:?}");
        assert!(!said.contains(&good) && !said.contains(&short), "{said}");
    }
}

#[test]
fn a_generated_ring_is_fresh_and_works() {
    let (one, two) = (KeyRing::generate().unwrap(), KeyRing::generate().unwrap());
    assert!(one.expose() != two.expose());
    let vault = vault(one.expose());
    vault.check().unwrap();
    assert_eq!(vault.sealing_key_id(), "k1");
    assert_eq!(super::tests::vault(KeyRing::generate_as("k_2").unwrap().expose()).sealing_key_id(), "k_2");
    for id in ["", "k.2", "k 2", &"k".repeat(33)] {
        assert!(matches!(KeyRing::generate_as(id), Err(Error::Invalid { .. })), "{id}");
    }
    assert!(!opens(
        &super::tests::vault(two.expose()),
        &AAD,
        &vault.seal(&AAD, &Secret::new(CANARY)).unwrap()
    ));
}

#[test]
fn hashes_match_what_they_are_of() {
    assert_eq!(hash::token("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert!(hash::same("abc", "abc") && !hash::same("abc", "abd") && !hash::same("abc", "ab"));
    let (one, two) = (Secret::new("correct horse"), Secret::new("correct horsf"));
    let hashed = hash::password(&one).unwrap();
    assert!(hashed.starts_with("$argon2id$") && hashed != hash::password(&one).unwrap());
    assert!(hash::password_matches(&one, &hashed) && !hash::password_matches(&two, &hashed));
    assert!(!hash::password_matches(&one, "correct horse") && !hash::password_matches(&one, ""));
}

#[test]
fn nobodys_hash_costs_what_a_real_one_does() {
    let real = hash::password(&Secret::new("a password")).unwrap();
    let cost = |text: &str| text.split('$').take(4).collect::<Vec<_>>().join("$");
    let lengths = |text: &str| text.split('$').map(str::len).collect::<Vec<_>>();
    assert_eq!((cost(hash::NOBODYS), lengths(hash::NOBODYS)), (cost(&real), lengths(&real)));
    // It is read, and so it is worked on: one that is not would be refused at once.
    assert!(argon2::password_hash::phc::PasswordHash::new(hash::NOBODYS).is_ok());
    assert!(!hash::password_matches(&Secret::new(""), hash::NOBODYS));
}

#[test]
fn a_keyed_hash_tells_lists_and_keys_apart() {
    let (one, two) = ([1; 32], [2; 32]);
    let hashed = hash::keyed(&one, &["ab", "c"]);
    assert_eq!(hashed, hash::keyed(&one, &["ab", "c"]));
    for other in [
        hash::keyed(&two, &["ab", "c"]),
        hash::keyed(&one, &["a", "bc"]),
        hash::keyed(&one, &["abc"]),
        hash::keyed(&one, &["ab", "c", ""]),
    ] {
        assert_ne!(hashed, other);
    }
}

#[test]
fn a_users_token_is_no_api_key() {
    let (token, prefix, hash) = hash::new_user_token().unwrap();
    assert!(token.expose().starts_with(&prefix) && prefix.starts_with("ut_"), "{prefix}");
    assert_eq!((token.expose().len(), prefix.len()), (49, crate::access::PREFIX));
    assert_eq!(hash, hash::token(token.expose()));
    assert_ne!(hash::new_user_token().unwrap().2, hash);
}

#[test]
fn an_api_key_has_its_shape() {
    let (key, prefix, hashed) = hash::new_api_key().unwrap();
    let text = key.expose();
    assert_eq!((text.len(), &text[..3], &text[..11]), (49, "ck_", prefix.as_str()));
    assert!(text[3..].bytes().all(|b| b.is_ascii_alphanumeric()));
    assert_eq!(hash::token(text), hashed);
    assert_ne!(hash::new_api_key().unwrap().2, hashed);
}

proptest! {
    #[test]
    fn no_text_makes_the_vault_panic(text in ".{0,200}", parts in proptest::collection::vec("[A-Za-z0-9_-]{0,90}", 2)) {
        let vault = vault(&entry("k1", 1));
        prop_assert!(vault.open(&AAD, &Sealed::from_row(text.clone())).is_err());
        let shaped = format!("v1.k1.{}.{}", parts[0], parts[1]);
        prop_assert!(vault.open(&AAD, &Sealed::from_row(shaped)).is_err());
        let _ = KeyRing::parse(&text);
    }

    #[test]
    fn any_secret_comes_back_as_it_was(text in "\\PC*") {
        let vault = vault(&entry("k1", 1));
        let sealed = vault.seal(&AAD, &Secret::new(text.as_str())).unwrap();
        prop_assert!(vault.open(&AAD, &sealed).unwrap().expose() == text);
    }
}
