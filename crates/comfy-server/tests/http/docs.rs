//! `GET /docs`.

use crate::toys::Toy;

#[test]
fn every_class_has_a_page() {
    let toy = Toy::start();
    for (path, type_) in [
        ("/docs/ToyText/en.md", "text/markdown; charset=utf-8"),
        ("/api/docs/ToyText/fr.md", "text/markdown; charset=utf-8"),
    ] {
        let answer = toy.get(path);
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("content-type"), Some(type_));
        let text = answer.text();
        assert!(
            text.starts_with("# ToyText\n\n`ToyText` · toys\n"),
            "{text}"
        );
        assert!(text.contains("## Outputs"), "{text}");
    }
    for path in [
        "/docs/None/en.md",
        "/docs/ToyText/en.html",
        "/docs/ToyText/",
        "/docs/..%2fToyText/en.md",
    ] {
        assert_eq!(toy.get(path).status, 404, "{path}");
    }
    let index = toy.get("/docs");
    assert_eq!(
        index.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert!(
        index
            .text()
            .contains("<a href=\"/docs/ToyText/en.md\">ToyText</a>")
    );
}
