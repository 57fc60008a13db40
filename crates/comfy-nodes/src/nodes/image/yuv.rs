//! `ImageRGBToYUV` and `ImageYUVToRGB`.

use comfy_graph::{Node, NodeContext, NodeError, NodeSpec, Outputs};
use rayon::prelude::*;

use crate::nodes::outputs::OneImage;
use crate::pixels::{from_ycbcr, to_ycbcr, zeroed};
use crate::sockets::Image;

/// Splits pictures into brightness and two differences of colour, each a grey picture.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ImageRGBToYUV",
    category = "image/batch",
    module = "comfy_extras.nodes_morphology",
    v3
)]
pub struct ImageRgbToYuv {
    /// The pictures to split.
    image: Image,
}

/// The result of [`ImageRgbToYuv`].
#[derive(Debug, Outputs)]
pub struct SplitYuv {
    /// The brightness.
    #[output(name = "Y")]
    luma: Image,
    /// How much bluer than grey, around one half.
    #[output(name = "U")]
    blue: Image,
    /// How much redder than grey, around one half.
    #[output(name = "V")]
    red: Image,
}

impl Node for ImageRgbToYuv {
    type Output = SplitYuv;

    fn run(self, _: &mut NodeContext<'_>) -> Result<SplitYuv, NodeError> {
        let shape = self.image.shape();
        if shape[3] != 3 {
            return Err(NodeError::value(format_args!(
                "expected pictures of red, green and blue, got {} channels",
                shape[3]
            )));
        }
        let mut luma = zeroed(&shape)?;
        let mut blue = zeroed(&shape)?;
        let mut red = zeroed(&shape)?;
        let block = 3 << 12;
        luma.par_chunks_mut(block)
            .zip(blue.par_chunks_mut(block).zip(red.par_chunks_mut(block)))
            .zip(self.image.pixels().par_chunks(block))
            .for_each(|((luma, (blue, red)), source)| {
                let differences = blue.chunks_exact_mut(3).zip(red.chunks_exact_mut(3));
                let results = luma.chunks_exact_mut(3).zip(differences);
                for ((luma, (blue, red)), pixel) in results.zip(source.chunks_exact(3)) {
                    let [y, u, v] = to_ycbcr([pixel[0], pixel[1], pixel[2]]);
                    luma.fill(y);
                    blue.fill(u);
                    red.fill(v);
                }
            });
        Ok(SplitYuv {
            luma: Image::from_values(luma, shape)?,
            blue: Image::from_values(blue, shape)?,
            red: Image::from_values(red, shape)?,
        })
    }
}

/// Puts pictures together from brightness and two differences of colour; of each the mean of the channels counts.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ImageYUVToRGB",
    category = "image/batch",
    module = "comfy_extras.nodes_morphology",
    v3
)]
pub struct ImageYuvToRgb {
    /// The brightness.
    #[input(name = "Y")]
    luma: Image,
    /// How much bluer than grey, around one half.
    #[input(name = "U")]
    blue: Image,
    /// How much redder than grey, around one half.
    #[input(name = "V")]
    red: Image,
}

fn mean(pixel: &[f32]) -> f32 {
    pixel.iter().sum::<f32>() / pixel.len() as f32
}

impl Node for ImageYuvToRgb {
    type Output = OneImage;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneImage, NodeError> {
        let [batch, height, width, _] = self.luma.shape();
        let size = [batch, height, width];
        if [&self.blue, &self.red]
            .iter()
            .any(|image| image.shape()[..3] != size)
        {
            return Err(NodeError::runtime(format_args!(
                "expected three batches of one size, got shapes {:?}, {:?} and {:?}",
                self.luma.shape(),
                self.blue.shape(),
                self.red.shape()
            )));
        }
        let shape = [batch, height, width, 3];
        let mut values = zeroed(&shape)?;
        let block = 1 << 12;
        let planes = [&self.luma, &self.blue, &self.red];
        values
            .par_chunks_mut(3 * block)
            .enumerate()
            .for_each(|(index, values)| {
                let [luma, blue, red] = planes.map(|image| {
                    let channels = image.shape()[3];
                    image.pixels()[index * block * channels..].chunks_exact(channels)
                });
                let sources = luma.zip(blue.zip(red));
                for (pixel, (y, (u, v))) in values.chunks_exact_mut(3).zip(sources) {
                    pixel.copy_from_slice(&from_ycbcr([mean(y), mean(u), mean(v)]));
                }
            });
        OneImage::of(values, shape)
    }
}
