use serde_json::{Value, json};

use super::*;

fn options(flags: &str) -> Options {
    Options {
        ignore_case: flags.contains('i'),
        multiline: flags.contains('m'),
        dot_all: flags.contains('s'),
    }
}

fn run(pattern: &str, text: &str, flags: &str, replacement: &str) -> Value {
    let Ok(regex) = Regex::new(pattern, options(flags)) else {
        return json!({"error": true});
    };
    let matches = regex.matches(text, usize::MAX).unwrap();
    let groups = matches.iter().map(|found| {
        (0..=found.groups())
            .map(|index| found.group(index))
            .collect::<Vec<_>>()
    });
    json!({
        "found": groups.collect::<Vec<_>>(),
        "replaced": regex.replace(text, replacement, 0).ok(),
    })
}

/// `cases.json` is what Python 3.11 does; `tests/fixtures/record_regex.py` has written it. The environment may name a larger file.
#[test]
fn patterns_mean_what_they_mean_in_python() {
    let recorded = match std::env::var_os("REGEX_CASES") {
        Some(path) => std::fs::read_to_string(path).unwrap(),
        None => include_str!("cases.json").to_owned(),
    };
    let cases: Vec<(String, String, String, String, Value)> =
        serde_json::from_str(&recorded).unwrap();
    let mut failures = Vec::new();
    for (pattern, text, flags, replacement, expected) in &cases {
        let got = run(pattern, text, flags, replacement);
        if got != *expected {
            failures.push(format!(
                "{pattern:?} ({flags}) on {text:?}, {replacement:?}:\n  {got}\n  {expected}"
            ));
        }
    }
    assert!(cases.len() > 500);
    assert!(
        failures.is_empty(),
        "{} of {} differ:\n{}",
        failures.len(),
        cases.len(),
        failures[..failures.len().min(30)].join("\n")
    );
}

#[test]
fn hostile_patterns_are_errors() {
    let text = "a".repeat(5_000);
    for pattern in [
        "(a+)+b",
        "(a|a)*b",
        "(a*)*b",
        "(.*)(.*)(.*)(.*)[^a]",
        "((a?){40}){40}b",
    ] {
        let regex = Regex::new(pattern, Options::default()).unwrap();
        assert_eq!(
            regex.search(&text),
            Err(RegexError::TooSlow(50_000_000)),
            "{pattern}"
        );
    }
    assert!(Regex::new(&"(".repeat(100_000), Options::default()).is_err());
    assert!(
        Regex::new(
            &format!("{}a{}", "(".repeat(100_000), ")".repeat(100_000)),
            Options::default()
        )
        .is_err()
    );
    assert!(Regex::new("((((a{999}){999}){999}b){999}){999}", Options::default()).is_err());
    assert!(Regex::new("a{99999999999}", Options::default()).is_err());
}

#[test]
fn long_texts_are_searched() {
    let text = "word ".repeat(100_000);
    let regex = Regex::new(r"\b(\w)\w*\b", Options::default()).unwrap();
    assert_eq!(regex.matches(&text, usize::MAX).unwrap().len(), 100_000);
    let loops = Regex::new("(?:w|o|r|d| )*", Options::default()).unwrap();
    let found = loops.search(&text).unwrap().unwrap();
    assert_eq!(found.group(0).unwrap().len(), text.len());
    assert_eq!(regex.replace("ab cd", r"\1", 1).unwrap(), "a cd");
}
