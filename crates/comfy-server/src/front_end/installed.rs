//! Finding a front end that Python's package manager has installed, for `--front-end-version`.
//!
//! Nothing is fetched and no Python is run: the places where packages lie are looked through.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The package and the folder in it that holds the front end.
const PACKAGE: &str = "comfyui_frontend_package";
const STATIC: &str = "static";

/// Why no front end was found.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum FrontEndError {
    /// The text names no version.
    #[error(
        "expected `latest`, a version such as `1.27.10`, or one of these behind `OWNER/REPOSITORY@`, got `{0}`"
    )]
    NoVersion(String),
    /// It is not installed.
    #[error(
        "the front end {wanted} is not installed{instead}; `pip install comfyui-frontend-package{pin}` gets it; looked in {}",
        folders(.searched)
    )]
    NotInstalled {
        /// The version that was asked for.
        wanted: String,
        /// The versions that are there, for the message.
        instead: String,
        /// What pip needs behind the package's name.
        pin: String,
        /// Where it was looked for.
        searched: Vec<PathBuf>,
    },
}

fn folders(paths: &[PathBuf]) -> String {
    let shown: Vec<String> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    if shown.is_empty() {
        "no folder, since this machine has none for Python packages".to_owned()
    } else {
        shown.join(", ")
    }
}

/// The folder of an installed front end. `version` is what ComfyUI's flag takes: `OWNER/REPOSITORY@VERSION`, the version with or
/// without a `v`, or `latest` for the newest one here; the owner and the repository say where ComfyUI would fetch it, and count for nothing.
///
/// # Errors
///
/// When the version makes no sense, or is not installed.
pub fn find(version: &str) -> Result<PathBuf, FrontEndError> {
    find_below(version, site_packages())
}

fn find_below(version: &str, searched: Vec<PathBuf>) -> Result<PathBuf, FrontEndError> {
    let wanted = version.rsplit_once('@').map_or(version, |(_, end)| end);
    let wanted = wanted.strip_prefix('v').unwrap_or(wanted);
    let exact = (wanted != "latest").then_some(wanted);
    if exact.is_some_and(|exact| numbers(exact).is_none()) {
        return Err(FrontEndError::NoVersion(version.to_owned()));
    }
    let mut found: Vec<(Vec<u64>, String, PathBuf)> = searched
        .iter()
        .filter_map(|folder| installed_in(folder))
        .collect();
    found.sort();
    let chosen = match exact {
        Some(exact) => found.iter().rfind(|(_, version, _)| version == exact),
        None => found.last(),
    };
    if let Some((_, _, folder)) = chosen {
        return Ok(folder.clone());
    }
    let there: Vec<&str> = found
        .iter()
        .map(|(_, version, _)| version.as_str())
        .collect();
    Err(FrontEndError::NotInstalled {
        wanted: wanted.to_owned(),
        instead: if there.is_empty() {
            String::new()
        } else {
            format!(", but {}", there.join(" and "))
        },
        pin: exact.map(|exact| format!("=={exact}")).unwrap_or_default(),
        searched,
    })
}

/// The front end in a folder of packages, with its version. Packages tell it in the name of the folder beside them.
fn installed_in(folder: &Path) -> Option<(Vec<u64>, String, PathBuf)> {
    let files = folder.join(PACKAGE).join(STATIC);
    if !files.join("index.html").is_file() {
        return None;
    }
    let version = names(folder).find_map(|name| {
        let version = name.strip_prefix(PACKAGE)?.strip_prefix('-')?;
        Some(version.strip_suffix(".dist-info")?.to_owned())
    })?;
    Some((numbers(&version)?, version, files))
}

/// A version such as `1.27.10` as numbers, so that 10 comes after 9.
fn numbers(version: &str) -> Option<Vec<u64>> {
    version.split('.').map(|part| part.parse().ok()).collect()
}

/// The folders in which Python packages lie: of the active environment, else those of the user and of the machine.
fn site_packages() -> Vec<PathBuf> {
    let environments = ["VIRTUAL_ENV", "CONDA_PREFIX"];
    let active: Vec<PathBuf> = environments
        .iter()
        .filter_map(|name| env::var_os(name).map(PathBuf::from))
        .collect();
    let mut roots = active;
    if roots.is_empty() {
        roots.extend([".venv", "venv"].map(PathBuf::from));
        roots.extend(env::home_dir().map(|home| home.join(".local")));
        roots.extend(["/usr/local", "/usr", "/opt/homebrew"].map(PathBuf::from));
        roots.extend(env::var_os("APPDATA").map(|data| Path::new(&data).join("Python")));
    }
    let mut found: Vec<PathBuf> = roots.iter().flat_map(|root| packages_of(root)).collect();
    found.sort();
    found.dedup();
    found
}

/// The folders of packages of one installation of Python.
fn packages_of(root: &Path) -> Vec<PathBuf> {
    let library = root.join("lib");
    let pythons = names(&library)
        .filter(|name| name.starts_with("python"))
        .map(|name| library.join(name));
    let mut candidates: Vec<PathBuf> = pythons
        .flat_map(|python| ["site-packages", "dist-packages"].map(|name| python.join(name)))
        .collect();
    candidates.push(root.join("Lib").join("site-packages"));
    candidates.retain(|folder| folder.is_dir());
    candidates
}

fn names(folder: &Path) -> impl Iterator<Item = String> {
    let entries = folder.read_dir().into_iter().flatten().flatten();
    entries.filter_map(|entry| OsStr::to_str(&entry.file_name()).map(ToOwned::to_owned))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use std::fs;

    use super::*;

    fn install(root: &Path, python: &str, version: &str) -> PathBuf {
        let packages = root.join("lib").join(python).join("site-packages");
        let files = packages.join(PACKAGE).join(STATIC);
        fs::create_dir_all(&files).unwrap();
        fs::create_dir_all(packages.join(format!("{PACKAGE}-{version}.dist-info"))).unwrap();
        fs::write(files.join("index.html"), "").unwrap();
        files
    }

    #[test]
    fn the_version_is_found_among_several() {
        let root = tempfile::tempdir().unwrap();
        let old = install(root.path(), "python3.9", "1.9.17");
        let new = install(root.path(), "python3.13", "1.27.10");
        let search = |version: &str| find_below(version, packages_of(root.path()));
        assert_eq!(search("Comfy-Org/ComfyUI_frontend@1.9.17"), Ok(old.clone()));
        assert_eq!(search("comfyanonymous/ComfyUI@v1.9.17"), Ok(old));
        assert_eq!(search("Comfy-Org/ComfyUI_frontend@latest"), Ok(new.clone()));
        assert_eq!(search("1.27.10"), Ok(new));
        let error = search("1.58.1").unwrap_err().to_string();
        assert!(
            error.contains("pip install comfyui-frontend-package==1.58.1"),
            "{error}"
        );
        assert!(error.contains("but 1.9.17 and 1.27.10"), "{error}");
        assert!(
            error.contains(&root.path().display().to_string()),
            "{error}"
        );
    }

    #[test]
    fn what_is_no_version_is_told() {
        for bad in ["", "Comfy-Org/ComfyUI_frontend@", "newest", "1.x"] {
            let error = find_below(bad, Vec::new()).unwrap_err();
            assert_eq!(error, FrontEndError::NoVersion(bad.to_owned()));
        }
        let error = find_below("latest", Vec::new()).unwrap_err().to_string();
        assert!(error.contains("no folder"), "{error}");
    }
}
