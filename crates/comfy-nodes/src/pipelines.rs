//! Folders of models as the library diffusers saves them.

use std::path::Path;

use crate::folders::Folders;

/// The file that such a folder has.
pub(crate) const INDEX: &str = "model_index.json";

/// How deep folders are looked for.
const MAX_DEPTH: usize = 5;

/// The folders within the model folder `diffusers`, by their names relative to it, sorted.
pub(crate) fn installed(folders: &Folders) -> Vec<String> {
    let mut names = Vec::new();
    for directory in folders
        .model_folder("diffusers")
        .map(|folder| folder.directories.as_slice())
        .unwrap_or_default()
    {
        look(directory, directory, 0, &mut names);
    }
    names.sort();
    names.dedup();
    names
}

fn look(root: &Path, directory: &Path, depth: usize, names: &mut Vec<String>) {
    if directory.join(INDEX).is_file()
        && let Ok(name) = directory.strip_prefix(root)
    {
        names.push(name.to_string_lossy().into_owned());
    }
    if depth == MAX_DEPTH {
        return;
    }
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    for path in entries
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
    {
        look(root, &path, depth + 1, names);
    }
}
