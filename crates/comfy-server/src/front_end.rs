//! The official browser front end where a Python package has put it, and the packages of templates beside it.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

/// The package of the front end, as a folder.
const PACKAGE: &str = "comfyui_frontend_package";
/// How the folders of the packages with templates begin: there is one for the texts and several for the pictures.
const TEMPLATES: &str = "comfyui_workflow_templates";
/// Folders that are looked through in a search, at most.
const MOST_ENTRIES: usize = 100_000;

/// A front end on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FrontEnd {
    /// Its version, if it could be told.
    version: Option<String>,
    /// The folder with `index.html`.
    pub(crate) root: PathBuf,
    /// Folders with templates of workflows.
    pub(crate) templates: Vec<PathBuf>,
}

/// No front end of the wanted version is installed.
#[derive(Debug, thiserror::Error)]
#[error(
    "no front end {wanted} is installed (found: {found}), so the built-in page is served; \
     `pip install comfyui-frontend-package{pin}` in the active environment gets it, or --front-end-root names its folder"
)]
pub(crate) struct NotInstalled {
    wanted: String,
    found: String,
    pin: String,
}

impl FrontEnd {
    /// The front end in a folder.
    pub(crate) fn at(root: &Path) -> Self {
        let packages = root
            .ends_with(Path::new(PACKAGE).join("static"))
            .then(|| root.ancestors().nth(2))
            .flatten();
        Self {
            version: packages.and_then(version_in),
            root: root.to_owned(),
            templates: packages.map(templates_in).unwrap_or_default(),
        }
    }

    /// The installed front end of a version; of several the newest.
    ///
    /// # Errors
    /// When there is none. Nothing is ever fetched.
    pub(crate) fn installed(wanted: &str, base: &Path) -> Result<Self, NotInstalled> {
        Self::among(wanted, &package_folders(base), &custom_versions(base))
    }

    /// The front end among those of Python packages and those that ComfyUI fetched for itself.
    fn among(
        wanted: &str,
        packages: &[PathBuf],
        fetched: &[PathBuf],
    ) -> Result<Self, NotInstalled> {
        let version = wanted.rsplit('@').next().unwrap_or(wanted);
        let version = version.strip_prefix('v').unwrap_or(version);
        let packaged = packages
            .iter()
            .map(|folder| Self::at(&folder.join(PACKAGE).join("static")));
        let fetched = fetched.iter().map(|folder| Self {
            version: folder
                .file_name()
                .and_then(|name| Some(name.to_str()?.to_owned())),
            root: folder.clone(),
            templates: Vec::new(),
        });
        let mut found: Vec<Self> = packaged
            .chain(fetched)
            .filter(|front_end| front_end.root.join("index.html").is_file())
            .collect();
        found.sort_by(|one, other| by_version(other.version.as_deref(), one.version.as_deref()));
        let is_wanted = |front_end: &&Self| {
            matches!(version, "latest" | "prerelease")
                || front_end.version.as_deref() == Some(version)
        };
        found.iter().find(is_wanted).cloned().ok_or_else(|| {
            let known = found.iter().map(|front_end| {
                let version = front_end.version.as_deref().unwrap_or("of unknown version");
                format!("{version} in {}", front_end.root.display())
            });
            let known: Vec<String> = known.collect();
            NotInstalled {
                wanted: version.to_owned(),
                found: if known.is_empty() {
                    "none".to_owned()
                } else {
                    known.join(", ")
                },
                pin: if version.starts_with(|first: char| first.is_ascii_digit()) {
                    format!("=={version}")
                } else {
                    String::new()
                },
            }
        })
    }
}

/// Folders into which Python's packages are installed: of the active environment, of one beside the models, of the user, of the system.
fn package_folders(base: &Path) -> Vec<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let mut folders: Vec<PathBuf> = std::env::var_os("PYTHONPATH")
        .iter()
        .flat_map(std::env::split_paths)
        .collect();
    let environments = ["VIRTUAL_ENV", "CONDA_PREFIX"]
        .into_iter()
        .filter_map(variable);
    let prefixes = environments
        .chain([base.join(".venv"), base.join("venv")])
        .chain(variable("HOME").map(|home| home.join(".local")))
        .chain(variable("APPDATA").map(|data| data.join("Python")))
        .chain(["/usr/local", "/usr", "/opt/conda"].map(PathBuf::from));
    for prefix in prefixes {
        folders.push(prefix.join("Lib/site-packages"));
        let pythons = entries(&prefix.join("lib"), "python3").into_iter();
        for python in pythons.chain(entries(&prefix, "Python3")) {
            folders.extend(["site-packages", "dist-packages"].map(|name| python.join(name)));
        }
        folders.push(prefix.join("lib/python3/dist-packages"));
    }
    folders
}

/// Front ends that ComfyUI itself fetched into its folder: `web_custom_versions/OWNER_REPOSITORY/VERSION`.
fn custom_versions(base: &Path) -> Vec<PathBuf> {
    let owners = entries(&base.join("web_custom_versions"), "");
    owners.iter().flat_map(|owner| entries(owner, "")).collect()
}

/// The version of the package, which stands in the name of the folder that describes it.
fn version_in(packages: &Path) -> Option<String> {
    let described = entries(packages, &format!("{PACKAGE}-"));
    described.iter().find_map(|folder| {
        let name = folder.file_name()?.to_str()?;
        let version = name.strip_prefix(PACKAGE)?.strip_prefix('-')?;
        Some(version.strip_suffix(".dist-info")?.to_owned())
    })
}

fn templates_in(packages: &Path) -> Vec<PathBuf> {
    let folders = entries(packages, TEMPLATES).into_iter();
    folders
        .map(|folder| folder.join("templates"))
        .filter(|folder| folder.is_dir())
        .collect()
}

/// What begins with these letters in a folder, sorted.
fn entries(folder: &Path, beginning: &str) -> Vec<PathBuf> {
    let listed = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let named = listed.take(MOST_ENTRIES).filter(|entry| {
        let name = entry.file_name();
        name.to_str()
            .is_some_and(|name| name.starts_with(beginning))
    });
    let mut found: Vec<PathBuf> = named.map(|entry| entry.path()).collect();
    found.sort();
    found
}

/// Compares versions number by number; an unknown one is the oldest.
fn by_version(one: Option<&str>, other: Option<&str>) -> Ordering {
    let numbers = |version: Option<&str>| -> Option<Vec<u64>> {
        let parts = version?.split(|letter: char| !letter.is_ascii_digit());
        Some(parts.filter_map(|part| part.parse().ok()).collect())
    };
    numbers(one).cmp(&numbers(other))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail by panicking")]
mod tests {
    use super::*;

    /// A folder of packages with a front end of this version.
    fn packages(at: &Path, version: &str) -> PathBuf {
        for folder in [
            format!("{PACKAGE}/static"),
            format!("{PACKAGE}-{version}.dist-info"),
            format!("{TEMPLATES}_json/templates"),
            format!("{TEMPLATES}_core"),
        ] {
            std::fs::create_dir_all(at.join(folder)).unwrap();
        }
        std::fs::write(at.join(PACKAGE).join("static/index.html"), version).unwrap();
        at.to_owned()
    }

    #[test]
    fn the_wanted_version_is_found_or_the_newest() {
        let base = tempfile::tempdir().unwrap();
        let folders = [
            packages(&base.path().join("a"), "1.9.2"),
            packages(&base.path().join("b"), "1.58.1"),
            base.path().join("nowhere"),
        ];
        let fetched = base.path().join("web_custom_versions/Owner_Repo/1.27.10");
        std::fs::create_dir_all(&fetched).unwrap();
        std::fs::write(fetched.join("index.html"), "").unwrap();
        let fetched = custom_versions(base.path());
        let version = |wanted: &str| {
            let found = FrontEnd::among(wanted, &folders, &fetched);
            found.map(|front_end| front_end.version.unwrap())
        };
        for (wanted, expected) in [
            ("latest", "1.58.1"),
            ("Comfy-Org/ComfyUI_frontend@latest", "1.58.1"),
            ("1.9.2", "1.9.2"),
            ("Comfy-Org/ComfyUI_frontend@v1.27.10", "1.27.10"),
        ] {
            assert_eq!(version(wanted).unwrap(), expected, "{wanted}");
        }
        let text = version("v1.2.3").unwrap_err().to_string();
        assert!(
            text.contains("pip install comfyui-frontend-package==1.2.3")
                && text.contains("1.9.2 in "),
            "{text}"
        );
        let text = FrontEnd::among("latest", &[], &[]).unwrap_err().to_string();
        assert!(
            text.contains("found: none") && !text.contains("=="),
            "{text}"
        );
    }

    #[test]
    fn templates_are_those_installed_beside_it() {
        let base = tempfile::tempdir().unwrap();
        let folder = packages(base.path(), "1.58.1");
        let front_end = FrontEnd::at(&folder.join(PACKAGE).join("static"));
        assert_eq!(front_end.version.as_deref(), Some("1.58.1"));
        assert_eq!(
            front_end.templates,
            [folder.join(format!("{TEMPLATES}_json/templates"))]
        );
        assert_eq!(FrontEnd::at(base.path()).templates, Vec::<PathBuf>::new());
    }

    #[test]
    fn environments_are_looked_into() {
        let base = tempfile::tempdir().unwrap();
        let folder = packages(
            &base.path().join(".venv/lib/python3.12/site-packages"),
            "9.9.9",
        );
        let found = FrontEnd::installed("9.9.9", base.path()).unwrap();
        assert!(found.root.starts_with(&folder), "{found:?}");
    }
}
