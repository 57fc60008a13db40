//! `PreviewImage`.

use std::hash::{BuildHasher, RandomState};

use comfy_graph::{ExtraPngInfo, Finish, Node, NodeContext, NodeError, NodeSpec, PromptJson};

use super::saving::{Destination, save_images};
use crate::folders::DirectoryKind;
use crate::pictures::Compression;
use crate::sockets::Image;

/// Shows pictures without keeping them: they go to the temporary directory, which is emptied when the server starts.
#[derive(Debug, NodeSpec)]
#[node(
    id = "PreviewImage",
    name = "Preview Image",
    category = "image",
    module = "nodes",
    output_node
)]
pub struct PreviewImage {
    /// The pictures to show.
    images: Image,
    /// The prompt to store in the files.
    prompt: PromptJson,
    /// The client's metadata to store in the files.
    extra_pnginfo: ExtraPngInfo,
}

impl Node for PreviewImage {
    type Output = Finish;

    fn run(self, context: &mut NodeContext<'_>) -> Result<Finish, NodeError> {
        Ok(preview(
            context,
            self.images,
            self.prompt,
            self.extra_pnginfo,
        ))
    }
}

/// Shows pictures from the temporary directory, for the node that runs.
pub(super) fn preview(
    context: &NodeContext<'_>,
    images: Image,
    prompt: PromptJson,
    extra_pnginfo: ExtraPngInfo,
) -> Finish {
    let prefix = context.instance(TemporaryPrefix::new);
    Finish::new(move |context| {
        let destination = Destination {
            directory: DirectoryKind::Temp,
            prefix: &prefix.0,
            compression: Compression::Fast,
        };
        save_images(context, &images, &destination, &prompt, &extra_pnginfo)
    })
}

/// The start of the file names of one node, as long as it lives.
struct TemporaryPrefix(String);

impl TemporaryPrefix {
    fn new() -> Self {
        const LETTERS: &[u8; 25] = b"abcdefghijklmnopqrstuvxyz";
        let mut random = RandomState::new().hash_one(0);
        let mut letter = || {
            let letter = LETTERS[(random % 25) as usize];
            random /= 25;
            char::from(letter)
        };
        Self(format!(
            "ComfyUI_temp_{}",
            (0..5).map(|_| letter()).collect::<String>()
        ))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    #[test]
    fn prefixes_differ() {
        let prefixes: std::collections::BTreeSet<String> =
            (0..50).map(|_| TemporaryPrefix::new().0).collect();
        assert!(prefixes.len() > 40);
        let letters = prefixes
            .iter()
            .map(|prefix| prefix.strip_prefix("ComfyUI_temp_").unwrap());
        assert!(letters.into_iter().all(|letters| {
            letters.len() == 5
                && letters
                    .chars()
                    .all(|letter| letter.is_ascii_lowercase() && letter != 'w')
        }));
    }
}
