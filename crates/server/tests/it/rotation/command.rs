//! The command line: what it says of keys, and when the old one may go.

use super::*;

/// The command with these root keys, over a database in `folder`.
fn claviger(folder: &Path, keys: &str, words: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_claviger"));
    command.args(words).current_dir(folder).env_clear().stdin(Stdio::null());
    let output = command.env("CLAVIGER_MASTER_KEY", keys).output().unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    for secret in [old(), new()] {
        let secret = secret.split_once(':').unwrap().1.to_owned();
        assert!(!out.contains(&secret) && !err.contains(&secret), "{words:?} shows a key");
    }
    (output.status.code(), out, err)
}

#[test]
fn the_command_line_rotates_and_tells_when_the_old_key_may_go() {
    let folder = tempfile::tempdir().unwrap();
    let run = |keys: &str, words: &[&str]| claviger(folder.path(), keys, words);
    let json = |keys: &str, words: &[&str]| -> Value {
        let (_, out, err) = run(keys, words);
        serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out}{err}"))
    };
    assert_eq!(run("", &["key", "generate"]).1[..3], *"k1:");
    assert_eq!(run("", &["key", "generate", "--id", "k_2"]).1[..4], *"k_2:");
    assert_eq!(run("", &["key", "generate", "--id", "k.2"]).0, Some(1));
    let (code, _, err) = run(&both(), &["key", "rotate"]);
    assert!(code == Some(1) && err.contains("does not exist yet"), "{err}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "no database is made");

    assert_eq!(run(&old(), &["workspace", "create"]).0, Some(0));
    let listed = json(&both(), &["key", "list", "--json"]);
    let keys = |listed: &Value| {
        let keys = listed["keys"].as_array().unwrap().iter();
        keys.map(|key| format!("{} {} {} {}", key["id"], key["given"], key["seals"], key["stored"]))
            .collect::<Vec<_>>()
    };
    assert_eq!(keys(&listed), ["\"k2\" true true 0", "\"k1\" true false 1"]);
    assert_eq!(
        keys(&json(&new(), &["key", "list", "--json"])),
        ["\"k2\" true true 0", "\"k1\" false false 1"]
    );
    let (_, out, _) = run(&both(), &["doctor"]);
    assert!(out.contains("warn  key") && out.contains("claviger key rotate"), "{out}");
    let (code, out, _) = run(&new(), &["doctor"]);
    assert!(code == Some(1) && out.contains("FAIL  key") && out.contains("1 by k1"), "{out}");

    let (code, out, err) = run(&new(), &["key", "rotate"]);
    assert!(
        code == Some(1) && err.contains("workspace.jwt_secret of ws_") && err.contains("not given"),
        "{out}{err}"
    );
    let dry = json(&both(), &["key", "rotate", "--dry-run", "--json"]);
    assert_eq!((&dry["wrapped"]["workspace.jwt_secret"], &dry["dry_run"]), (&json!(1), &json!(true)));
    let done = json(&both(), &["key", "rotate", "--json"]);
    assert_eq!((&done["wrapped"], &done["failed"]), (&json!({ "workspace.jwt_secret": 1 }), &json!(0)));
    let (code, out, _) = run(&both(), &["key", "rotate"]);
    assert!(code == Some(0) && out.contains("nothing to do"), "{out}");
    let (_, out, err) = run(&both(), &["key", "list"]);
    assert!(out.contains("k2") && err.contains("k1 wraps nothing here any more"), "{out}{err}");
    let (_, out, _) = run(&new(), &["doctor"]);
    assert!(out.contains("ok    key"), "{out}");
}
