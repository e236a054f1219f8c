//! Apply: hosts, teams, owners and shares, and what is left as it is.

use super::tests::Room;

const FILE: &str = r#"
workspaces:
  - client_id: acme
    name: Acme
    hosts: ["https://bi.acme.example"]
    integrations:
      - key: crm
        provider: oauth2
        name: CRM
        description: Customers and deals
        tags: [sales, crm]
        owner: team:sales
        shares:
          - { principal: bob, level: use }
          - { principal: "team:ops", level: edit }
        config:
          authorize_url: https://idp.acme.example/authorize
          token_url: https://idp.acme.example/token
          base_url: https://api.acme.example/v1
    users:
      - username: ada
        display_name: Ada Lovelace
        email: ada@acme.example
        permissions: [integration:share, integration:write]
      - username: bob
    teams:
      - { id: sales, name: Sales, members: [ada] }
      - { id: ops, members: [ada, bob] }
"#;

const NONE: [&str; 0] = [];

#[tokio::test]
async fn people_and_what_they_reach_are_made_once() {
    let room = Room::new().await;
    let steps = room.apply(FILE, true, true).await.unwrap();
    let wanted = [
        "+ workspace acme",
        "+ workspace acme: host https://bi.acme.example",
        "+ workspace acme: integration crm",
        "+ workspace acme: user ada",
        "+ workspace acme: user bob",
        "+ workspace acme: team sales",
        "+ workspace acme: team sales: member ada",
        "+ workspace acme: team ops",
        "+ workspace acme: team ops: member ada",
        "+ workspace acme: team ops: member bob",
        "~ workspace acme: integration crm: owner",
        "+ workspace acme: integration crm: shared with bob",
        "+ workspace acme: integration crm: shared with team:ops",
    ];
    assert_eq!(steps, wanted);
    assert_eq!(room.apply(FILE, true, true).await.unwrap(), NONE);
    assert_eq!(room.apply(FILE, false, true).await.unwrap(), NONE);
}

#[tokio::test]
async fn each_difference_between_people_is_named_and_made() {
    let room = Room::new().await;
    room.apply(FILE, false, true).await.unwrap();
    for (from, to, steps) in [
        ("bi.acme", "bx.acme", &["- host https://bi.acme.example", "+ host https://bx.acme.example"] as &[_]),
        ("Customers and", "Customers, and", &["~ integration crm: description"]),
        ("[sales, crm]", "[sales]", &["~ integration crm: tags"]),
        ("owner: team:sales", "owner: ada", &["~ integration crm: owner"]),
        ("owner: team:sales", "owner: user:ada", &["~ integration crm: owner"]),
        ("level: use", "level: manage", &["~ integration crm: shared with bob: level"]),
        (
            "principal: bob,",
            "principal: ada,",
            &["+ integration crm: shared with ada", "- integration crm: shared with bob"],
        ),
        ("Ada Lovelace", "Ada L.", &["~ user ada: display_name"]),
        ("integration:share, ", "", &["~ user ada: permissions"]),
        ("name: Sales", "name: Selling", &["~ team sales: name"]),
        ("[ada, bob]", "[bob]", &["- team ops: member ada"]),
    ] {
        let changed = FILE.replacen(from, to, 1);
        assert_ne!(changed, FILE, "{from}");
        let told = room.apply(&changed, true, true).await.unwrap();
        let sorted = |mut lines: Vec<String>| {
            lines.sort();
            lines
        };
        let prefixed = steps.iter().map(|it| format!("{} workspace acme:{}", &it[..1], &it[1..])).collect();
        assert_eq!(sorted(told), sorted(prefixed), "{to}");
        assert_eq!(room.apply(&changed, true, true).await.unwrap(), NONE, "{to}");
        room.apply(FILE, true, true).await.unwrap();
        assert_eq!(room.apply(FILE, true, true).await.unwrap(), NONE, "{to}");
    }
}

#[tokio::test]
async fn what_the_file_does_not_say_about_people_is_left_as_it_is() {
    let room = Room::new().await;
    room.apply(FILE, false, true).await.unwrap();
    let mut silent = FILE.to_owned();
    for line in [
        "        description: Customers and deals\n",
        "        tags: [sales, crm]\n",
        "        owner: team:sales\n",
        "        display_name: Ada Lovelace\n",
        "        email: ada@acme.example\n",
        "        shares:\n          - { principal: bob, level: use }\n          - { principal: \"team:ops\", level: edit }\n",
        ", name: Sales, members: [ada]",
    ] {
        assert!(silent.contains(line), "{line}");
        silent = silent.replace(line, "");
    }
    assert_eq!(room.apply(&silent, true, true).await.unwrap(), NONE);
    assert_eq!(room.apply(FILE, true, true).await.unwrap(), NONE, "all of it is still there");
    // A list that is given is added to; only --prune makes it exactly that.
    let fewer = FILE.replace("- { principal: bob, level: use }", "").replace("[ada, bob]", "[]");
    assert_eq!(room.apply(&fewer, false, true).await.unwrap(), NONE);
    assert_eq!(
        room.apply(&fewer, true, true).await.unwrap(),
        [
            "- workspace acme: team ops: member ada",
            "- workspace acme: team ops: member bob",
            "- workspace acme: integration crm: shared with bob",
        ]
    );
    let bare = "workspaces:\n  - client_id: acme\n    name: Acme\n";
    let steps = room.apply(bare, true, true).await.unwrap();
    assert!(steps.contains(&"- workspace acme: team ops".to_owned()), "{steps:?}");
    assert!(steps.contains(&"- workspace acme: host https://bi.acme.example".to_owned()), "{steps:?}");
}

#[tokio::test]
async fn a_plan_for_people_changes_nothing() {
    let room = Room::new().await;
    assert_eq!(room.apply(FILE, false, false).await.unwrap().len(), 13);
    assert!(room.store.read().await.unwrap().any_workspaces().await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_wrong_about_people_is_said_with_its_place() {
    let room = Room::new().await;
    for (from, to, says) in [
        (
            "owner: team:sales",
            "owner: team:none",
            "integration crm: owner: there is no user and no team \"team:none\"",
        ),
        ("owner: team:sales", "owner: carl", "no user and no team \"carl\""),
        ("principal: bob,", "principal: carl,", "shares[0].principal"),
        (
            "principal: \"team:ops\"",
            "principal: user:BOB",
            "shares[1].principal: \"user:BOB\" is named twice",
        ),
        ("level: edit", "level: admin", "integrations[0].shares[1].level: must be one of"),
        ("level: edit", "level: 2", "shares[1]"),
        ("principal: bob, level", "principal: bob, lvel", "integrations[0].shares[0]"),
        ("integration:share", "integration:everything", "integration:write, integration:delete"),
        ("id: ops", "id: Ops", "team Ops: team: must be"),
        ("id: ops", "id: sales", "named twice"),
        ("[ada, bob]", "[ada, carl]", "team ops: members: carl"),
        ("name: Sales", "name: \"\"", "team sales: name"),
        ("https://bi.acme.example", "https://bi.acme.example/", "hosts"),
        ("https://bi.acme.example", "http://bi.acme.example", "https"),
        ("https://bi.acme.example", "bi.acme.example", "hosts"),
        ("Ada Lovelace", "\"a\\nb\"", "display_name"),
    ] {
        let broken = FILE.replacen(from, to, 1);
        assert_ne!(broken, FILE, "{from}");
        let text = room.refusal(&broken).await;
        assert!(text.contains(says) && text.contains("workspace"), "{to}: {text}");
    }
    let second = "  - client_id: bolt\n    name: Bolt\n    hosts: [\"https://bi.acme.example\"]\n";
    let text = room.refusal(&format!("{FILE}{second}")).await;
    assert!(text.contains("workspace bolt: hosts") && text.contains("bi.acme.example"), "{text}");
}

#[tokio::test]
async fn a_secret_in_the_wrong_place_is_not_quoted() {
    let room = Room::new().await;
    for (from, to) in [
        ("level: edit", "level: canary-secret"),
        ("tags: [sales, crm]", "tags: canary-secret"),
        ("description: Customers and deals", "description: [canary-secret]"),
        ("members: [ada, bob]", "members: canary-secret"),
        ("          base_url:", "          api_key: { in: canary-secret, name: X }\n          base_url:"),
    ] {
        let broken = FILE.replacen(from, to, 1);
        assert_ne!(broken, FILE, "{from}");
        let text = room.refusal(&broken).await;
        assert!(text.contains("workspaces[0]") && !text.contains("canary"), "{to}: {text}");
    }
}
