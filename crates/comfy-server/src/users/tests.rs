use axum::http::HeaderValue;
use comfy_nodes::folders::FoldersOptions;
use serde_json::json;

use super::files::WriteError;
use super::*;
use crate::walk::relative;

fn users(base: &Path, is_multiple: bool) -> Users {
    let options = FoldersOptions {
        base: base.to_owned(),
        ..FoldersOptions::default()
    };
    Users::new(Arc::new(Folders::new(options).unwrap()), is_multiple)
}

fn from(user: &str) -> HeaderMap {
    HeaderMap::from_iter([(
        "comfy-user".parse().unwrap(),
        HeaderValue::from_str(user).unwrap(),
    )])
}

#[test]
fn ids_are_made_of_plain_characters() {
    for (name, expected) in [
        ("bob", "bob"),
        ("Anna  Müller!", "Anna-M-ller-"),
        ("a_b-c", "a_b-c"),
    ] {
        assert_eq!(plain(name), expected);
    }
}

#[test]
fn alone_everybody_is_the_default_user() {
    let base = tempfile::tempdir().unwrap();
    let users = users(base.path(), false);
    let user = users.of_request(&from("somebody")).unwrap();
    assert_eq!(user.root, base.path().join("user/default"));
    assert!(!user.has_folder());
    assert!(matches!(users.add("default"), Err(UserError::Duplicate)));
}

#[test]
fn many_users_are_known_by_their_ids() {
    let base = tempfile::tempdir().unwrap();
    let users = users(base.path(), true);
    let id = users.add("bob").unwrap();
    assert!(id.starts_with("bob_"), "{id}");
    assert!(matches!(users.add("bob"), Err(UserError::Duplicate)));
    assert!(matches!(users.add("  "), Err(UserError::Empty)));
    assert!(matches!(users.add("__system"), Err(UserError::System)));
    let user = users.of_request(&from(&id)).unwrap();
    assert_eq!(user.root, base.path().join("user").join(&id));
    for stranger in ["default", "bob", "..", ""] {
        assert!(users.of_request(&from(stranger)).is_err(), "{stranger}");
    }
    assert!(users.of_request(&HeaderMap::new()).is_err());
}

#[test]
fn users_written_by_hand_cannot_leave_their_folder() {
    let base = tempfile::tempdir().unwrap();
    let users = users(base.path(), true);
    std::fs::create_dir_all(base.path().join("user")).unwrap();
    let text = r#"{"..": "a", ".": "b", "/etc": "c", "fine": "d"}"#;
    std::fs::write(base.path().join("user/users.json"), text).unwrap();
    for id in ["..", ".", "/etc"] {
        assert!(users.of_request(&from(id)).is_err(), "{id}");
    }
    assert!(users.of_request(&from("fine")).is_ok());
}

#[test]
fn settings_are_merged_and_survive_a_broken_file() {
    let base = tempfile::tempdir().unwrap();
    let users = users(base.path(), false);
    let user = users.of_request(&HeaderMap::new()).unwrap();
    assert!(user.settings().unwrap().is_empty());
    let set = |name: &str, value: serde_json::Value| {
        let name = name.to_owned();
        users.change_settings(&user, move |settings| {
            settings.insert(name, value);
        })
    };
    set("A", json!(1)).unwrap();
    set("B", json!("x")).unwrap();
    set("A", json!([2])).unwrap();
    let file = user.root.join("comfy.settings.json");
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        "{\n    \"A\": [\n        2\n    ],\n    \"B\": \"x\"\n}"
    );
    std::fs::write(&file, "{\"A\": ").unwrap();
    assert!(set("C", json!(null)).is_err());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "{\"A\": ");
}

#[test]
fn files_are_listed_written_and_moved() {
    let base = tempfile::tempdir().unwrap();
    let users = users(base.path(), false);
    let user = users.of_request(&HeaderMap::new()).unwrap();
    assert!(user.resolve("../other/a.json").is_none());
    assert!(user.resolve("/etc/passwd").is_none());
    let at = |name: &str| user.resolve(name).unwrap();
    files::write(&at("workflows/b.json"), b"{}", true).unwrap();
    files::write(&at("workflows/deep/A.json"), b"{ }", true).unwrap();
    files::write(&at("workflows/.hidden"), b"", true).unwrap();
    assert!(matches!(
        files::write(&at("workflows/b.json"), b"x", false),
        Err(WriteError::Exists)
    ));
    let names = |recurse| -> Vec<String> {
        let folder = at("workflows");
        let found = files::list(&folder, recurse).unwrap();
        found.iter().map(|path| relative(path, &folder)).collect()
    };
    assert_eq!(names(false), ["b.json"]);
    assert_eq!(names(true), ["b.json", "deep/A.json"]);
    let entries = user.entries(&at("workflows")).unwrap();
    let shown: Vec<(&str, Option<u64>)> = entries
        .iter()
        .map(|entry| (entry.path.as_str(), entry.size))
        .collect();
    assert_eq!(
        shown,
        [
            ("workflows/deep", None),
            ("workflows/.hidden", Some(0)),
            ("workflows/deep/A.json", Some(3)),
            ("workflows/b.json", Some(2)),
        ]
    );
    assert!(matches!(
        files::move_file(&at("nothing"), &at("x"), true),
        Err(WriteError::Missing)
    ));
    assert!(matches!(
        files::move_file(&at("workflows/b.json"), &at("workflows/deep/A.json"), false),
        Err(WriteError::Exists)
    ));
    files::move_file(&at("workflows/b.json"), &at("new/c.json"), false).unwrap();
    assert_eq!(std::fs::read(at("new/c.json")).unwrap(), b"{}");
    let info = user.info(&at("new/c.json")).unwrap();
    assert_eq!((info.path.as_str(), info.size), ("new/c.json", 2));
    assert!(info.modified > 1e9 && info.created >= info.modified);
}
