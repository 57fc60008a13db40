//! Where files live: the directories, the model folders, and every look-up of a name that a client sent.
//!
//! Two rules hold for all of it. A name from a client never leaves the directory it is looked up in: `..` is resolved on
//! paper first, and in the directories that clients can write to (input, output, temp, user) symbolic links must end inside
//! as well. Model folders follow links, as people keep checkpoints on other disks and link them in.

mod annotated;
mod contain;
mod extra_paths;
mod listing;
mod offered;
mod saving;
mod table;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use indexmap::IndexMap;
use parking_lot::Mutex;

pub use annotated::{AnnotatedName, DirectoryKind};
pub use contain::{contained, normalise};
pub use offered::OfferedModel;
pub use saving::{SaveTarget, fill_in_patterns};
pub use table::{ExtensionFilter, ModelFolder, is_model_file};

use listing::Listing;

/// What can go wrong with directories and names in them.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The name leads out of the directory, on paper or through a symbolic link.
    #[error("expected a path inside {}, got '{name}', which leads outside of it", .root.display())]
    Outside {
        /// The directory that must not be left.
        root: PathBuf,
        /// What the client sent.
        name: String,
    },
    /// The directory type is none of `input`, `output`, `temp`.
    #[error("expected the directory type input, output or temp, got '{0}'")]
    UnknownDirectory(String),
    /// No model folder has this key.
    #[error("expected the name of a model folder, got '{0}'")]
    UnknownModelFolder(String),
    /// No file of this name is in any directory of the model folder. The text is `ComfyUI`'s.
    #[error("Model in folder '{folder}' with filename '{name}' not found.")]
    ModelNotFound {
        /// Key of the model folder.
        folder: String,
        /// The name that was looked up.
        name: String,
    },
    /// A save prefix leads out of the directory. The text is `ComfyUI`'s, as clients show it.
    #[error(
        "**** ERROR: Saving image outside the output folder is not allowed.\n full_output_folder: {}\n         output_dir: {}\n         commonpath: {}",
        .folder.display(), .root.display(), .common.display()
    )]
    SaveOutside {
        /// The directory the prefix points to.
        folder: PathBuf,
        /// The directory that must not be left.
        root: PathBuf,
        /// What the two have in common.
        common: PathBuf,
    },
    /// A file of extra model paths cannot be used.
    #[error("expected a mapping of sections to model paths in {}: {reason}", .path.display())]
    ExtraPaths {
        /// The YAML file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The operating system refused.
    #[error("{action} {}: {source}", .path.display())]
    Io {
        /// What was tried, such as `creating the directory`.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

impl FolderError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}

/// Where the directories are. Relative paths are taken from the working directory.
#[derive(Debug, Clone, Default)]
pub struct FoldersOptions {
    /// The base directory; `models`, `input`, `output`, `temp` and `user` are below it unless named otherwise.
    pub base: PathBuf,
    /// The output directory, if it is not `base/output`.
    pub output: Option<PathBuf>,
    /// The input directory, if it is not `base/input`.
    pub input: Option<PathBuf>,
    /// The *parent* of the temporary directory, if it is not `base`: files go to `<this>/temp`, which is emptied at start.
    pub temp: Option<PathBuf>,
    /// The user directory, if it is not `base/user`.
    pub user: Option<PathBuf>,
    /// Files of extra model paths, read after `base/extra_model_paths.yaml`; each must exist.
    pub extra_model_paths: Vec<PathBuf>,
    /// Models that the program brings along.
    pub offered_models: Vec<OfferedModel>,
}

/// The directories and the table of model folders. Shared by the nodes and the server.
#[derive(Debug)]
pub struct Folders {
    base: PathBuf,
    input: PathBuf,
    output: PathBuf,
    temp: PathBuf,
    user: PathBuf,
    models: IndexMap<String, ModelFolder>,
    offered: Vec<OfferedModel>,
    listings: Mutex<IndexMap<String, Arc<Listing>>>,
}

impl Folders {
    /// Lays out the directories and reads the files of extra model paths. Creates nothing.
    pub fn new(options: FoldersOptions) -> Result<Self, FolderError> {
        let absolute = |path: &Path| -> Result<PathBuf, FolderError> {
            let absolute = if path.as_os_str().is_empty() {
                std::env::current_dir()
            } else {
                std::path::absolute(path)
            };
            Ok(normalise(&absolute.map_err(FolderError::io(
                "making the path absolute:",
                path,
            ))?))
        };
        let base = absolute(&options.base)?;
        let or_below_base = |chosen: Option<PathBuf>, name: &str| match chosen {
            Some(path) => absolute(&path),
            None => Ok(base.join(name)),
        };
        let output = or_below_base(options.output, "output")?;
        let input = or_below_base(options.input, "input")?;
        let user = or_below_base(options.user, "user")?;
        let temp = match options.temp {
            Some(parent) => absolute(&parent)?.join("temp"),
            None => base.join("temp"),
        };

        let mut models = table::defaults(&base, &output);
        let own = base.join("extra_model_paths.yaml");
        if own.is_file() {
            extra_paths::apply(&mut models, &own)?;
        }
        for file in &options.extra_model_paths {
            extra_paths::apply(&mut models, &absolute(file)?)?;
        }
        Ok(Self {
            base,
            input,
            output,
            temp,
            user,
            models,
            offered: options.offered_models,
            listings: Mutex::default(),
        })
    }

    /// Creates the input, output, temp and user directories and the default model directories below the base directory.
    pub fn create_all(&self) -> Result<(), FolderError> {
        let models = self.base.join("models");
        let defaults = self
            .models
            .values()
            .flat_map(|folder| &folder.directories)
            .filter(|path| path.starts_with(&models));
        for path in [&self.input, &self.output, &self.temp, &self.user]
            .into_iter()
            .chain(defaults)
        {
            std::fs::create_dir_all(path)
                .map_err(FolderError::io("creating the directory", path))?;
        }
        Ok(())
    }

    /// Deletes the temporary directory with all it holds. One that does not exist is fine.
    pub fn clear_temp(&self) -> Result<(), FolderError> {
        match std::fs::remove_dir_all(&self.temp) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(FolderError::io("deleting the directory", &self.temp)(error))
            }
            _ => Ok(()),
        }
    }

    /// The base directory.
    pub fn base_dir(&self) -> &Path {
        &self.base
    }

    /// Where pictures for [`LoadImage`](crate::nodes::LoadImage) are, and uploads go.
    pub fn input_dir(&self) -> &Path {
        &self.input
    }

    /// Where results go.
    pub fn output_dir(&self) -> &Path {
        &self.output
    }

    /// Where previews go; emptied when the server starts and ends.
    pub fn temp_dir(&self) -> &Path {
        &self.temp
    }

    /// Where settings and saved workflows of the browser go.
    pub fn user_dir(&self) -> &Path {
        &self.user
    }

    /// The directory of this kind.
    pub fn directory_of(&self, kind: DirectoryKind) -> &Path {
        match kind {
            DirectoryKind::Input => &self.input,
            DirectoryKind::Output => &self.output,
            DirectoryKind::Temp => &self.temp,
        }
    }

    /// The directory a client calls `input`, `output` or `temp`.
    pub fn directory(&self, kind: &str) -> Option<&Path> {
        kind.parse().ok().map(|kind| self.directory_of(kind))
    }

    /// The path of `name` in `subfolder` of the directory `kind` (`input`, `output` or `temp`), whether or not it exists yet.
    /// It is refused when it leads outside, be it by `..`, as an absolute path or through a symbolic link.
    pub fn resolve(&self, kind: &str, subfolder: &str, name: &str) -> Result<PathBuf, FolderError> {
        let root = self
            .directory(kind)
            .ok_or_else(|| FolderError::UnknownDirectory(kind.to_owned()))?;
        contained(root, &Path::new(subfolder).join(name))
    }

    /// The path of a name that may end in ` [input]`, ` [output]` or ` [temp]`; without such an ending it is looked for in
    /// `default`. Contained like [`Folders::resolve`]; it need not exist.
    pub fn resolve_annotated(
        &self,
        name: &str,
        default: DirectoryKind,
    ) -> Result<PathBuf, FolderError> {
        let annotated = AnnotatedName::parse(name);
        contained(
            self.directory_of(annotated.kind.unwrap_or(default)),
            Path::new(annotated.name),
        )
    }

    /// Keys of the model folders, in `ComfyUI`'s order; folders that only a file of extra paths knows come last.
    pub fn model_folders(&self) -> impl Iterator<Item = &str> {
        self.models.keys().map(String::as_str)
    }

    /// Directories and file filter of a model folder. The old keys `unet` and `clip` are understood.
    pub fn model_folder(&self, key: &str) -> Option<&ModelFolder> {
        self.models.get(table::current_key(key))
    }

    /// The files of a model folder: paths relative to its directories, without doubles, sorted. Directories are walked
    /// again only when one of them has changed. A folder without files lists what is offered for it.
    pub fn list(&self, key: &str) -> Result<Vec<String>, FolderError> {
        let key = table::current_key(key);
        let mut files = self.installed(key)?;
        if files.is_empty() {
            files = self
                .offered(key)
                .map(|model| model.name.to_owned())
                .collect();
        }
        Ok(files)
    }

    /// The files that are really there, by the current key.
    fn installed(&self, key: &str) -> Result<Vec<String>, FolderError> {
        let folder = self
            .models
            .get(key)
            .ok_or_else(|| FolderError::UnknownModelFolder(key.to_owned()))?;
        if let Some(listing) = self.listings.lock().get(key).cloned()
            && listing.is_current(folder)
        {
            return Ok(listing.files.clone());
        }
        let listing = Arc::new(Listing::walk(folder));
        self.listings
            .lock()
            .insert(key.to_owned(), Arc::clone(&listing));
        Ok(listing.files.clone())
    }

    /// What is offered for a model folder that has no files.
    fn offered(&self, key: &str) -> impl Iterator<Item = &OfferedModel> {
        self.offered.iter().filter(move |model| model.folder == key)
    }

    /// Makes files of the models that are offered for this folder, if it has none.
    pub fn place_offered(&self, key: &str) -> Result<(), FolderError> {
        self.list(key)?
            .iter()
            .filter(|name| {
                self.offered(table::current_key(key))
                    .any(|model| model.name == **name)
            })
            .try_for_each(|name| self.find(key, name).map(drop))
    }

    /// The file `name` of a model folder: the first of its directories that has it wins. `..` cannot leave the directory. A model that is
    /// offered is written to `base/models`.
    pub fn find(&self, key: &str, name: &str) -> Result<PathBuf, FolderError> {
        let key = table::current_key(key);
        let folder = self
            .models
            .get(key)
            .ok_or_else(|| FolderError::UnknownModelFolder(key.to_owned()))?;
        let relative = contain::below_root(name);
        for directory in &folder.directories {
            let path = directory.join(&relative);
            if path.is_file() {
                return Ok(path);
            }
            if path.is_symlink() {
                tracing::warn!(path = %path.display(), "this link does not lead to a file");
            }
        }
        if self.installed(key)?.is_empty()
            && let Some(model) = self
                .offered(key)
                .find(|model| Path::new(model.name) == relative)
        {
            return model.place(&self.base.join("models").join(key));
        }
        Err(FolderError::ModelNotFound {
            folder: key.to_owned(),
            name: name.to_owned(),
        })
    }

    /// Names of the pictures directly in the input directory, sorted: what [`LoadImage`](crate::nodes::LoadImage) offers.
    pub fn input_images(&self) -> Vec<String> {
        listing::files_in(&self.input, listing::is_picture)
    }

    /// Names of the files directly in the input directory that are wanted, sorted.
    pub fn input_files(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<String> {
        listing::files_in(&self.input, is_wanted)
    }

    /// Where the next files of a save node go; see [`SaveTarget::prepare`].
    pub fn save_target(
        &self,
        kind: DirectoryKind,
        prefix: &str,
        width: usize,
        height: usize,
    ) -> Result<SaveTarget, FolderError> {
        SaveTarget::prepare(
            self.directory_of(kind),
            prefix,
            width,
            height,
            chrono::Local::now().naive_local(),
        )
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests;
