//! Keeping names inside their directory.

use std::path::{Component, Path, PathBuf};

use super::FolderError;

/// Resolves `.` and `..` on paper. A `..` above the root of an absolute path goes; one at the start of a relative path stays.
pub fn normalise(path: &Path) -> PathBuf {
    let mut result = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => match result.components().next_back() {
                Some(Component::Normal(_)) => {
                    result.pop();
                }
                Some(Component::RootDir | Component::Prefix(_)) => {}
                _ => result.push(".."),
            },
            other => result.push(other),
        }
    }
    result
}

/// `name` as if it began at the root of a file system of its own: what is left never contains `..` and is never absolute.
pub(super) fn below_root(name: &str) -> PathBuf {
    let rooted = normalise(&Path::new("/").join(name));
    rooted
        .components()
        .filter(|part| matches!(part, Component::Normal(_)))
        .collect()
}

/// The normalised path of `relative` below `root`, which must be absolute. The path need not exist.
///
/// Refused when it leads outside on paper, or when the part of it that exists leads outside through symbolic links, or when
/// it ends in a link to nowhere (nobody can say where a file written there would go).
pub fn contained(root: &Path, relative: &Path) -> Result<PathBuf, FolderError> {
    let outside = || FolderError::Outside {
        root: root.to_path_buf(),
        name: relative.display().to_string(),
    };
    let root = normalise(root);
    let path = normalise(&root.join(relative));
    if !path.starts_with(&root) {
        return Err(outside());
    }
    let Ok(real_root) = root.canonicalize() else {
        return Ok(path); // The directory itself does not exist, so nothing below it is a link.
    };
    let existing = path
        .ancestors()
        .find(|ancestor| ancestor.symlink_metadata().is_ok())
        .unwrap_or(&root);
    match existing.canonicalize() {
        Ok(real) if real.starts_with(&real_root) => Ok(path),
        _ => Err(outside()),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    #[test]
    fn dots_are_resolved_on_paper() {
        for (path, expected) in [
            ("a/./b/../c", "a/c"),
            ("/a/../../b", "/b"),
            ("../a", "../a"),
            ("a/../../b", "../b"),
            ("./", ""),
            ("a//b/", "a/b"),
        ] {
            assert_eq!(normalise(Path::new(path)), Path::new(expected), "{path}");
        }
    }

    #[test]
    fn names_begin_at_a_root_of_their_own() {
        for (name, expected) in [
            ("../../etc/passwd", "etc/passwd"),
            ("/x", "x"),
            ("sub/a.pt", "sub/a.pt"),
            ("..", ""),
        ] {
            assert_eq!(below_root(name), Path::new(expected), "{name}");
        }
    }

    #[test]
    fn paths_outside_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("root");
        std::fs::create_dir_all(root.join("sub")).unwrap();
        for name in [
            "a.png",
            "sub/a.png",
            "new/deep/a.png",
            "sub/../a.png",
            "",
            "sub/..",
            "..a",
        ] {
            assert!(contained(&root, Path::new(name)).is_ok(), "{name}");
        }
        for name in [
            "..",
            "../a.png",
            "sub/../../a.png",
            "/etc/passwd",
            "../root2/a.png",
        ] {
            assert!(contained(&root, Path::new(name)).is_err(), "{name}");
        }
        assert!(
            contained(&root, &root.join("sub/a.png")).is_ok(),
            "an absolute path may point inside"
        );
    }

    #[cfg(unix)]
    #[test]
    fn links_must_end_inside() {
        use std::os::unix::fs::symlink;
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("root");
        std::fs::create_dir_all(root.join("sub")).unwrap();
        std::fs::create_dir_all(directory.path().join("secret")).unwrap();
        std::fs::write(directory.path().join("secret/key"), "k").unwrap();
        std::fs::write(root.join("sub/a"), "a").unwrap();
        symlink("../secret", root.join("out")).unwrap();
        symlink("../secret/key", root.join("file")).unwrap();
        symlink("sub", root.join("in")).unwrap();
        symlink("nowhere", root.join("dangling")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        assert!(contained(&root, Path::new("in/a")).is_ok());
        assert!(contained(&root, Path::new("in/new")).is_ok());
        for name in [
            "out/key",
            "out/new",
            "out",
            "file",
            "dangling",
            "dangling/x",
            "loop/x",
        ] {
            assert!(contained(&root, Path::new(name)).is_err(), "{name}");
        }
        // A root that is itself a link is the operator's choice.
        symlink(&root, directory.path().join("linked")).unwrap();
        assert!(contained(&directory.path().join("linked"), Path::new("sub/a")).is_ok());
    }
}
