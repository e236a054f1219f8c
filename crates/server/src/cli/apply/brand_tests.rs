//! Apply: how a workspace's pages look, and what is no brand.

use claviger_engine::domain::workspace::Workspace;

use super::tests::Room;

const LOGO: &str =
    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 1 1\"><rect width=\"1\" height=\"1\"/></svg>";

fn file(brand: &str) -> String {
    format!("workspaces:\n  - client_id: acme\n    name: Acme\n{brand}")
}

async fn workspace(room: &Room) -> (Workspace, bool) {
    let mut conn = room.store.read().await.unwrap();
    let found = conn.any_workspace_by_client_id("acme").await.unwrap().unwrap();
    let logo = conn.logo(&found.id).await.unwrap().is_some();
    (found, logo)
}

#[tokio::test]
async fn a_brand_is_all_of_it_and_stays_where_none_is_named() {
    let room = Room::new().await;
    room.file("acme.svg", LOGO);
    let whole = "    brand: { name: Suite, logo: acme.svg, colour: \"#0b5fff\", language: de }\n";
    let steps = room.apply(&file(whole), false, true).await.unwrap();
    assert!(steps.iter().any(|step| step.contains("brand.logo")), "{steps:?}");
    assert_eq!(room.apply(&file(whole), false, true).await.unwrap(), Vec::<String>::new());
    for brand in [whole, ""] {
        room.apply(&file(brand), false, true).await.unwrap();
        let (found, logo) = workspace(&room).await;
        let brand = &found.settings.brand;
        assert_eq!((brand.name.as_deref(), brand.colour.as_deref()), (Some("Suite"), Some("#0b5fff")));
        assert!(logo && brand.language.as_deref() == Some("de"));
    }
    // What is left out of one that is named is taken away, the logo too.
    let steps = room.apply(&file("    brand: { colour: \"#ffd400\" }\n"), false, true).await.unwrap();
    assert!(steps.iter().any(|step| step.contains("brand.logo")), "{steps:?}");
    let (found, logo) = workspace(&room).await;
    let brand = &found.settings.brand;
    assert_eq!((&brand.name, brand.colour.as_deref(), &brand.language), (&None, Some("#ffd400"), &None));
    assert!(!logo);
}

#[tokio::test]
async fn what_is_no_brand_is_refused_with_its_place() {
    let room = Room::new().await;
    room.file("acme.svg", LOGO);
    room.file("acme.txt", "canary, and no picture");
    for (brand, says) in [
        ("colour: red", "brand.colour"),
        ("colour: \"#0b5ff\"", "brand.colour"),
        ("colour: \"#0b5fff;}\"", "brand.colour"),
        ("language: tlh", "brand.language"),
        ("name: \"\"", "brand.name"),
        ("logo: acme.txt", "brand"),
        ("logo: none.svg", "brand.logo"),
        ("color: \"#0b5fff\"", "workspaces[0].brand"),
    ] {
        let refusal = room.refusal(&file(&format!("    brand: {{ {brand} }}\n"))).await;
        assert!(refusal.contains(says) && !refusal.contains("canary"), "{brand}: {refusal}");
    }
    assert!(room.store.read().await.unwrap().any_workspaces().await.unwrap().is_empty());
}
