//! Texts of users: regular expressions, prompts, names of files.

use std::path::Path;

use comfy_diffusion::text::token::{CLIP_G, CLIP_L, chunks_of_prompt};
use comfy_nodes::folders::{AnnotatedName, contained};
use comfy_nodes::text::regex::{Options, Regex};

/// A pattern, a replacement and a text, in a line each; the first byte holds the flags.
pub fn regex(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut parts = text.splitn(3, '\n');
    let mut part = || parts.next().unwrap_or_default();
    let (pattern, replacement, text) = (part(), part(), part());
    let flags = bytes.first().copied().unwrap_or_default();
    let options = Options {
        ignore_case: flags & 1 != 0,
        multiline: flags & 2 != 0,
        dot_all: flags & 4 != 0,
    };
    if let Ok(regex) = Regex::new(pattern, options) {
        let _ = regex.search(text);
        let _ = regex.matches(text, 50);
        let _ = regex.replace(text, replacement, 50);
    }
}

/// A prompt with weights, up to its tokens.
pub fn prompt(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for rules in [CLIP_L, CLIP_G] {
        let _ = chunks_of_prompt(&text, rules, None);
    }
}

/// A name from a client: none leads out of its folder.
pub fn names(bytes: &[u8]) {
    const ROOT: &str = "/a/root";
    let text = String::from_utf8_lossy(bytes);
    let name = AnnotatedName::parse(&text);
    if let Ok(path) = contained(Path::new(ROOT), Path::new(name.name)) {
        assert!(path.starts_with(ROOT), "{}", path.display());
    }
}
