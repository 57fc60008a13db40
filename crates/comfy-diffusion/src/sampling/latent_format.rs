//! What the numbers of a latent mean: the scale that the network wants, and roughly which colours they are.

use burn::tensor::Tensor;

use super::host::from_values;

/// How a model family scales its latents.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LatentFormat {
    /// A name for logs.
    pub name: &'static str,
    /// The number of channels.
    pub channels: usize,
    /// The network works on (latent − shift) · scale.
    pub scale: f64,
    /// The network works on (latent − shift) · scale.
    pub shift: f64,
    /// Where channels differ: the mean and the deviation of each. The network works on (latent − mean) · scale / deviation.
    pub statistics: Option<&'static [[f32; 2]]>,
    /// Red, green and blue in −1..1 per unit of each channel of a scaled latent: the linear fit that previews use.
    pub colours: &'static [[f32; 3]],
    /// Added to the colours.
    pub colour_offset: [f32; 3],
    /// What the name of a small decoder for previews of this format begins with.
    pub preview_decoder: Option<&'static str>,
}

impl LatentFormat {
    /// Stable Diffusion 1 and 2.
    pub const SD15: Self = Self {
        name: "SD15",
        channels: 4,
        scale: 0.182_15,
        shift: 0.0,
        statistics: None,
        colours: &[
            [0.3512, 0.2297, 0.3227],
            [0.3250, 0.4974, 0.2350],
            [-0.2829, 0.1762, 0.2721],
            [-0.2120, -0.2616, -0.7177],
        ],
        colour_offset: [0.0; 3],
        preview_decoder: Some("taesd_decoder"),
    };

    /// Stable Diffusion XL.
    pub const SDXL: Self = Self {
        name: "SDXL",
        channels: 4,
        scale: 0.130_25,
        shift: 0.0,
        statistics: None,
        colours: &[
            [0.3651, 0.4232, 0.4341],
            [-0.2533, -0.0042, 0.1068],
            [0.1076, 0.1111, -0.0362],
            [-0.3165, -0.2492, -0.2188],
        ],
        colour_offset: [0.1084, -0.0175, -0.0011],
        preview_decoder: Some("taesdxl_decoder"),
    };

    /// Playground 2.5, which has XL's autoencoder but its own scale for each channel.
    pub const PLAYGROUND: Self = Self {
        name: "SDXL_Playground_2_5",
        channels: 4,
        scale: 0.5,
        shift: 0.0,
        statistics: Some(&[
            [-1.6574, 8.4927],
            [1.886, 5.9022],
            [-1.383, 6.5498],
            [2.5155, 5.2299],
        ]),
        colours: &[
            [0.3920, 0.4054, 0.4549],
            [-0.2634, -0.0196, 0.0653],
            [0.0568, 0.1687, -0.0755],
            [-0.3112, -0.2359, -0.2076],
        ],
        colour_offset: [0.0; 3],
        preview_decoder: Some("taesdxl_decoder"),
    };

    /// From the autoencoder's scale to the network's.
    pub fn to_network(&self, latent: Tensor<4>) -> Tensor<4> {
        if let Some([means, deviations]) = self.statistics_like(&latent) {
            return (latent - means).mul_scalar(self.scale) / deviations;
        }
        if self.shift == 0.0 {
            latent.mul_scalar(self.scale)
        } else {
            latent.sub_scalar(self.shift).mul_scalar(self.scale)
        }
    }

    /// From the network's scale to the autoencoder's.
    pub fn from_network(&self, latent: Tensor<4>) -> Tensor<4> {
        if let Some([means, deviations]) = self.statistics_like(&latent) {
            return (latent * deviations).div_scalar(self.scale) + means;
        }
        if self.shift == 0.0 {
            latent.div_scalar(self.scale)
        } else {
            latent.div_scalar(self.scale).add_scalar(self.shift)
        }
    }

    /// The means and deviations as `[1, channels, 1, 1]`, where channels differ and the latent has as many.
    fn statistics_like(&self, latent: &Tensor<4>) -> Option<[Tensor<4>; 2]> {
        let statistics = self
            .statistics
            .filter(|statistics| statistics.len() == latent.dims()[1])?;
        Some([0, 1].map(|column| {
            let values: Vec<f32> = statistics.iter().map(|row| row[column]).collect();
            from_values(values, [1, statistics.len(), 1, 1], &latent.device())
        }))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use burn::tensor::{Device, Tensor};

    use super::LatentFormat;
    use crate::sampling::host::values;

    #[test]
    fn formats_scale_there_and_back() {
        for (format, first) in [
            (LatentFormat::SD15, 0.182_15),
            (LatentFormat::SDXL, 0.130_25),
            (LatentFormat::PLAYGROUND, (1.0 + 1.6574) * 0.5 / 8.4927),
        ] {
            let latent = Tensor::<4>::ones([2, 4, 1, 3], &Device::flex());
            let scaled = format.to_network(latent);
            let got = values(scaled.clone()).unwrap();
            assert!((got[0] - first).abs() < 1e-6, "{}: {got:?}", format.name);
            let back = values(format.from_network(scaled)).unwrap();
            assert!(back.iter().all(|value| (value - 1.0).abs() < 1e-6));
        }
    }
}
