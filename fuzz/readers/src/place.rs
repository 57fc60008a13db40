//! Where files lie that are read from a folder: a place of each process.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use comfy_nodes::device::{DevicePlan, DeviceRequest};
use comfy_nodes::folders::{Folders, FoldersOptions};
use comfy_nodes::runtime::{PreviewMethod, Runtime, RuntimeOptions};

/// The folder that all others are in.
fn base() -> &'static Path {
    static BASE: OnceLock<PathBuf> = OnceLock::new();
    BASE.get_or_init(|| {
        let base = tempfile::Builder::new().prefix("comfy-fuzz-").tempdir();
        base.unwrap_or_else(|error| panic!("no temporary directory: {error}"))
            .keep()
    })
}

/// Removes all of it.
pub(crate) fn tidy() {
    let _ = fs::remove_dir_all(base());
}

/// A folder within it, which exists.
pub(crate) fn folder(relative: &str) -> PathBuf {
    let path = base().join(relative);
    fs::create_dir_all(&path)
        .unwrap_or_else(|error| panic!("cannot make {}: {error}", path.display()));
    path
}

/// A file in a folder within it.
pub(crate) fn file(relative: &str, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder(relative).join(name);
    // Not over the old one: that may still be mapped.
    let _ = fs::remove_file(&path);
    fs::write(&path, bytes)
        .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
    path
}

/// What nodes need from the house, with this folder as its base.
pub(crate) fn runtime() -> &'static Arc<Runtime> {
    static RUNTIME: OnceLock<Arc<Runtime>> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let options = FoldersOptions {
            base: folder("house"),
            ..FoldersOptions::default()
        };
        let folders = Folders::new(options).and_then(|folders| {
            folders.create_all()?;
            Ok(folders)
        });
        Arc::new(Runtime::new(RuntimeOptions {
            folders: Arc::new(folders.unwrap_or_else(|error| panic!("no folders: {error}"))),
            device: DevicePlan::survey(DeviceRequest::Cpu)
                .unwrap_or_else(|error| panic!("no processor: {error}")),
            preview: PreviewMethod::None,
            preview_size: 512,
            metadata: true,
        }))
    })
}
