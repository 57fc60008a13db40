//! Lists of choices that change while the server runs.

/// Where choices such as model files, samplers and schedulers come from.
///
/// A socket reads its list by name in [`Socket::choices`](crate::Socket::choices). The lists may differ at each call.
pub trait Catalog: Send + Sync {
    /// The list called `name`, such as `checkpoints` or `samplers`; empty when there is none.
    fn list(&self, name: &str) -> Vec<String>;

    /// The directories in which the files of that list are looked for; none when they are no files.
    fn folders(&self, list: &str) -> Vec<String> {
        let _ = list;
        Vec::new()
    }
}

/// A catalog without lists, for schemas of which only the names and types are of interest.
#[derive(Debug, Clone, Copy, Default)]
pub struct EmptyCatalog;

impl Catalog for EmptyCatalog {
    fn list(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
}
