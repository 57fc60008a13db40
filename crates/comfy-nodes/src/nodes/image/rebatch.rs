//! `RebatchImages`.

use comfy_graph::{List, Node, NodeContext, NodeError, NodeSpec, Outputs};

use super::batch::concatenate;
use crate::sockets::Image;

/// Divides pictures anew into batches of one size; the last one may be smaller.
#[derive(Debug, NodeSpec)]
#[node(
    id = "RebatchImages",
    name = "Rebatch Images",
    category = "image/batch",
    module = "comfy_extras.nodes_rebatch",
    v3
)]
pub struct RebatchImages {
    /// The batches to divide; all of one size where they come to lie in one batch.
    images: List<Image>,
    /// How many pictures a batch is to have.
    #[input(default = 1u32, min = 1u32, max = 4096u32)]
    batch_size: u32,
}

/// The result of [`RebatchImages`].
#[derive(Debug, Outputs)]
pub struct Rebatched {
    /// The new batches, one after another.
    #[output(name = "IMAGE")]
    images: List<Image>,
}

impl Node for RebatchImages {
    type Output = Rebatched;

    fn run(self, _: &mut NodeContext<'_>) -> Result<Rebatched, NodeError> {
        if self.batch_size == 0 {
            return Err(NodeError::value(
                "expected batches of at least one picture, got 0",
            ));
        }
        let pictures: Vec<(&Image, usize)> = self
            .images
            .iter()
            .flat_map(|image| (0..image.shape()[0]).map(move |index| (image, index)))
            .collect();
        let batches = pictures.chunks(self.batch_size as usize).map(|pictures| {
            let [_, height, width, channels] = pictures[0].0.shape();
            if let Some((other, _)) = pictures
                .iter()
                .find(|(image, _)| image.shape()[1..] != [height, width, channels])
            {
                return Err(NodeError::runtime(format_args!(
                    "expected pictures of one shape in a batch, got {:?} and {:?}",
                    [height, width, channels],
                    &other.shape()[1..]
                )));
            }
            let members: Vec<&[f32]> = pictures
                .iter()
                .map(|(image, index)| image.member(*index))
                .collect();
            Image::from_values(
                concatenate(&members)?,
                [pictures.len(), height, width, channels],
            )
        });
        Ok(Rebatched {
            images: List(batches.collect::<Result<_, _>>()?),
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;
    use comfy_graph::testing::NodeTester;

    #[test]
    fn batches_are_divided_anew() {
        let batch =
            |values: &[f32]| Image::from_values(values.to_vec(), [values.len(), 1, 1, 1]).unwrap();
        let run = |images: Vec<Image>, size: u32| {
            NodeTester::<RebatchImages>::new()
                .list("images", images)
                .set("batch_size", size)
                .run()
        };
        let output = run(vec![batch(&[1.0, 2.0, 3.0]), batch(&[4.0])], 2).unwrap();
        let values: Vec<&[f32]> = output.images.iter().map(Image::pixels).collect();
        assert_eq!(values, [[1.0, 2.0], [3.0, 4.0]]);
        let other = Image::from_values(vec![0.0; 2], [1, 1, 2, 1]).unwrap();
        assert!(run(vec![batch(&[1.0]), other.clone()], 2).is_err());
        assert_eq!(run(vec![batch(&[1.0]), other], 1).unwrap().images.len(), 2);
    }
}
