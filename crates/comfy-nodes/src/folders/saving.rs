//! Where a save node puts its files: patterns in the prefix, the sub-folder, and the counter.

use std::path::{Path, PathBuf};

use chrono::{Datelike, NaiveDateTime, Timelike};

use super::{FolderError, contained, normalise};

/// Where the next files go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaveTarget {
    /// The directory, which exists.
    pub folder: PathBuf,
    /// File name without counter and ending.
    pub stem: String,
    /// The first free counter, from 1.
    pub counter: u64,
    /// The directory part of the prefix, as clients get it to ask for the file again.
    pub subfolder: String,
}

impl SaveTarget {
    /// Works out the target of a save node.
    ///
    /// `prefix` may contain directories and the patterns of [`fill_in_patterns`]. The counter is one more than the largest
    /// among the files `<stem>_<counter>_…` that are there. The directory is created when it is missing; a prefix that leads
    /// out of `root` is refused.
    pub fn prepare(
        root: &Path,
        prefix: &str,
        width: usize,
        height: usize,
        now: NaiveDateTime,
    ) -> Result<Self, FolderError> {
        let prefix = fill_in_patterns(prefix, width, height, now);
        let normal = normalise(Path::new(&prefix));
        // As os.path.split has it: "" and "a/.." are ".", ".." is a file name like any other.
        let (subfolder, stem) = match normal.components().next_back() {
            None => (PathBuf::new(), ".".to_owned()),
            Some(last) => {
                let subfolder = normal
                    .components()
                    .rev()
                    .skip(1)
                    .collect::<Vec<_>>()
                    .into_iter()
                    .rev()
                    .collect();
                (subfolder, last.as_os_str().to_string_lossy().into_owned())
            }
        };
        let folder = contained(root, &subfolder).map_err(|_| {
            let folder = normalise(&root.join(&subfolder));
            let common = folder
                .ancestors()
                .find(|ancestor| root.starts_with(ancestor))
                .unwrap_or(Path::new(""))
                .to_path_buf();
            FolderError::SaveOutside {
                folder,
                root: root.to_path_buf(),
                common,
            }
        })?;
        std::fs::create_dir_all(&folder)
            .map_err(FolderError::io("creating the directory", &folder))?;
        let counter = next_counter(&folder, &stem)?;
        Ok(Self {
            folder,
            stem,
            counter,
            subfolder: subfolder.to_string_lossy().into_owned(),
        })
    }
}

/// One more than the largest counter among `<stem>_<counter>_…` in `folder`; files with something else there count 0.
fn next_counter(folder: &Path, stem: &str) -> Result<u64, FolderError> {
    let entries =
        std::fs::read_dir(folder).map_err(FolderError::io("listing the directory", folder))?;
    let mut largest = 0;
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let rest = if cfg!(windows) {
            strip_prefix_ignoring_case(&name, stem)
        } else {
            name.strip_prefix(stem)
        };
        if let Some(counter) = rest.and_then(|rest| rest.strip_prefix('_')) {
            let digits = counter.split('_').next().unwrap_or_default().trim();
            // Beyond 18 digits it is a number of another kind, such as a hash.
            let value = if digits.len() <= 18 {
                digits.parse().unwrap_or(0)
            } else {
                0
            };
            largest = largest.max(value);
        }
    }
    Ok(largest + 1)
}

fn strip_prefix_ignoring_case<'a>(name: &'a str, stem: &str) -> Option<&'a str> {
    let head = name.get(..stem.len())?;
    head.eq_ignore_ascii_case(stem).then(|| &name[stem.len()..])
}

/// Replaces `%width%`, `%height%` (of the first picture), `%year%` (4 digits), `%month%`, `%day%`, `%hour%`, `%minute%` and
/// `%second%` (2 digits). Other patterns stay.
pub fn fill_in_patterns(prefix: &str, width: usize, height: usize, now: NaiveDateTime) -> String {
    if !prefix.contains('%') {
        return prefix.to_owned();
    }
    prefix
        .replace("%width%", &width.to_string())
        .replace("%height%", &height.to_string())
        .replace("%year%", &now.year().to_string())
        .replace("%month%", &format!("{:02}", now.month()))
        .replace("%day%", &format!("{:02}", now.day()))
        .replace("%hour%", &format!("{:02}", now.hour()))
        .replace("%minute%", &format!("{:02}", now.minute()))
        .replace("%second%", &format!("{:02}", now.second()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use chrono::NaiveDate;

    use super::*;

    fn noon() -> NaiveDateTime {
        NaiveDate::from_ymd_opt(2025, 3, 9)
            .unwrap()
            .and_hms_opt(4, 5, 6)
            .unwrap()
    }

    fn target(root: &Path, prefix: &str) -> Result<SaveTarget, FolderError> {
        SaveTarget::prepare(root, prefix, 640, 480, noon())
    }

    #[test]
    fn patterns_are_filled_in() {
        let filled = |prefix| fill_in_patterns(prefix, 640, 480, noon());
        assert_eq!(
            filled("%year%-%month%-%day%/%hour%%minute%%second%"),
            "2025-03-09/040506"
        );
        assert_eq!(
            filled("%width%x%height%_%batch_num%_%x%"),
            "640x480_%batch_num%_%x%"
        );
    }

    #[test]
    fn prefixes_are_split() {
        let directory = tempfile::tempdir().unwrap();
        for (prefix, subfolder, stem) in [
            ("ComfyUI", "", "ComfyUI"),
            ("a/b/c", "a/b", "c"),
            ("a/./b/", "a", "b"),
            ("a/../b", "", "b"),
            ("", "", "."),
            ("..", "", ".."),
            ("%year%/x", "2025", "x"),
        ] {
            let target = target(directory.path(), prefix).unwrap();
            assert_eq!(
                (
                    target.subfolder.as_str(),
                    target.stem.as_str(),
                    target.counter
                ),
                (subfolder, stem, 1),
                "{prefix}"
            );
            assert!(target.folder.is_dir());
        }
    }

    #[test]
    fn prefixes_that_lead_outside_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("output");
        std::fs::create_dir(&root).unwrap();
        for prefix in ["../x", "a/../../x", "/etc/x", "../output2/x"] {
            let message = target(&root, prefix).unwrap_err().to_string();
            assert!(message.starts_with("**** ERROR: Saving image outside the output folder is not allowed.\n full_output_folder: "), "{message}");
        }
        let outside = directory.path().display();
        let message = target(&root, "../x").unwrap_err().to_string();
        assert!(
            message.ends_with(&format!("folder: {outside}\n         output_dir: {outside}/output\n         commonpath: {outside}")),
            "{message}"
        );
    }

    #[cfg(unix)]
    #[test]
    fn links_out_of_the_directory_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("output");
        std::fs::create_dir(&root).unwrap();
        std::os::unix::fs::symlink("..", root.join("up")).unwrap();
        assert!(matches!(
            target(&root, "up/x"),
            Err(FolderError::SaveOutside { .. })
        ));
    }

    #[test]
    fn counters_go_on_from_the_largest() {
        let directory = tempfile::tempdir().unwrap();
        for name in [
            "a_00002_.png",
            "a_123456_.png",
            "a_7.png",
            "a_x_.png",
            "ab_00900_.png",
            "b_00005_.png",
            "b_00004_extra.txt",
            "c.png",
            "d_99999999999999999999999_.png",
            "é_00003_.png",
        ] {
            std::fs::write(directory.path().join(name), "").unwrap();
        }
        for (prefix, counter) in [
            ("a", 123_457),
            ("ab", 901),
            ("b", 6),
            ("c", 1),
            ("d", 1),
            ("é", 4),
            ("new/a", 1),
        ] {
            assert_eq!(
                target(directory.path(), prefix).unwrap().counter,
                counter,
                "{prefix}"
            );
        }
    }
}
