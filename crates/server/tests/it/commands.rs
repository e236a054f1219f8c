//! The binary itself: what it refuses to start with, and what two of it do at once.

use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

/// The command with nothing of this process's environment and a folder of its own.
fn claviger(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_claviger"));
    command.args(words).current_dir(folder).env_clear().stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn serve_without_a_key_refuses_and_says_how_to_make_one() {
    let folder = tempfile::tempdir().unwrap();
    let output = claviger(folder.path(), &["serve", "--listen", "127.0.0.1:0"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("claviger key generate"), "{}", said(&output));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is made");
}

#[test]
fn serve_with_a_taken_port_says_which_setting_to_change() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let key = claviger(folder.path(), &["key", "generate"]).output().unwrap();
    let mut serve = claviger(folder.path(), &["serve", "--proxy-listen", "127.0.0.1:0"]);
    serve.env("CLAVIGER_MASTER_KEY", String::from_utf8(key.stdout).unwrap().trim());
    let output = serve.env("CLAVIGER_LISTEN", taken.local_addr().unwrap().to_string()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("taken") && said(&output).contains("CLAVIGER_LISTEN"),
        "{}",
        said(&output)
    );
}

#[test]
fn root_keys_that_open_nothing_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let key = |id: &str| {
        let output = claviger(folder.path(), &["key", "generate", "--id", id]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let ends = |key: &str, words: &[&str]| {
        let mut running = claviger(folder.path(), words).env("CLAVIGER_MASTER_KEY", key).spawn().unwrap();
        for _ in 0..600 {
            if running.try_wait().unwrap().is_some() {
                let output = running.wait_with_output().unwrap();
                return (output.status.code(), said(&output));
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        running.kill().unwrap();
        panic!("{words:?} goes on: {}", said(&running.wait_with_output().unwrap()));
    };
    let serve = ["serve", "--listen", "127.0.0.1:0", "--proxy-listen", "127.0.0.1:0"];
    let right = key("k1");
    assert_eq!(ends(&right, &["workspace", "create"]).0, Some(0));
    for wrong in [key("k1"), key("k2")] {
        let (code, text) = ends(&wrong, &serve);
        assert!(code == Some(1) && text.contains("open nothing") && text.contains("key list"), "{text}");
        let (code, text) = ends(&wrong, &["key", "rotate"]);
        assert!(code == Some(1) && !text.contains("nothing to do"), "{text}");
    }
    assert_eq!(ends(&right, &["key", "rotate"]).0, Some(0));
}

#[test]
fn two_processes_that_migrate_at_once_migrate_once() {
    let folder = tempfile::tempdir().unwrap();
    let running: Vec<_> = (0..4).map(|_| claviger(folder.path(), &["migrate"]).spawn().unwrap()).collect();
    let mut changed = 0;
    for process in running {
        let output = process.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        let told = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
        changed += usize::from(told.contains("went from number 0 to "));
    }
    assert_eq!(changed, 1, "one of them did it");
}
