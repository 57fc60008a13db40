//! Compositing with opacity after Porter and Duff (1984), and the modes that later specifications added.

use comfy_graph::Choice;
use rayon::prelude::*;

/// How two pictures with opacity are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum PorterDuff {
    /// The sum of both.
    #[choice("ADD")]
    Add,
    /// Nothing.
    #[choice("CLEAR")]
    Clear,
    /// The darker of both.
    #[choice("DARKEN")]
    Darken,
    /// The destination alone.
    #[choice("DST")]
    Dst,
    /// The destination where the source is, over the source.
    #[choice("DST_ATOP")]
    DstAtop,
    /// The destination where the source is.
    #[choice("DST_IN")]
    DstIn,
    /// The destination where the source is not.
    #[choice("DST_OUT")]
    DstOut,
    /// The destination over the source.
    #[choice("DST_OVER")]
    DstOver,
    /// The lighter of both.
    #[choice("LIGHTEN")]
    Lighten,
    /// The product of both.
    #[choice("MULTIPLY")]
    Multiply,
    /// Darker where the destination is dark, lighter where it is light.
    #[choice("OVERLAY")]
    Overlay,
    /// The product of the negatives, as a negative.
    #[choice("SCREEN")]
    Screen,
    /// The source alone.
    #[choice("SRC")]
    Src,
    /// The source where the destination is, over the destination.
    #[choice("SRC_ATOP")]
    SrcAtop,
    /// The source where the destination is.
    #[choice("SRC_IN")]
    SrcIn,
    /// The source where the destination is not.
    #[choice("SRC_OUT")]
    SrcOut,
    /// The source over the destination.
    #[choice("SRC_OVER")]
    SrcOver,
    /// Either where the other is not.
    #[choice("XOR")]
    Xor,
}

impl PorterDuff {
    /// The opacity of the result from both opacities.
    fn opacity(self, s: f32, d: f32) -> f32 {
        match self {
            Self::Add => (s + d).clamp(0.0, 1.0),
            Self::Clear => 0.0,
            Self::Darken | Self::Lighten | Self::Overlay | Self::Screen => s + d - s * d,
            Self::Dst | Self::SrcAtop => d,
            Self::Src | Self::DstAtop => s,
            Self::DstIn | Self::SrcIn | Self::Multiply => s * d,
            Self::DstOut => (1.0 - s) * d,
            Self::SrcOut => (1.0 - d) * s,
            Self::DstOver => d + (1.0 - d) * s,
            Self::SrcOver => s + (1.0 - s) * d,
            Self::Xor => (1.0 - d) * s + (1.0 - s) * d,
        }
    }

    /// The colour of the result times its opacity, from both colours times theirs.
    fn colour(self, source: f32, destination: f32, s: f32, d: f32) -> f32 {
        let both = (1.0 - d) * source + (1.0 - s) * destination;
        match self {
            Self::Add => (source + destination).clamp(0.0, 1.0),
            Self::Clear => 0.0,
            Self::Darken => both + source.min(destination),
            Self::Lighten => both + source.max(destination),
            Self::Dst => destination,
            Self::Src => source,
            Self::DstAtop => s * destination + (1.0 - d) * source,
            Self::SrcAtop => d * source + (1.0 - s) * destination,
            Self::DstIn => destination * s,
            Self::SrcIn => source * d,
            Self::DstOut => (1.0 - s) * destination,
            Self::SrcOut => (1.0 - d) * source,
            Self::DstOver => destination + (1.0 - d) * source,
            Self::SrcOver => source + (1.0 - s) * destination,
            Self::Multiply => source * destination,
            Self::Overlay if 2.0 * destination < d => 2.0 * source * destination,
            Self::Overlay => s * d - 2.0 * (d - source) * (s - destination),
            Self::Screen => source + destination - source * destination,
            Self::Xor => both,
        }
    }
}

/// A picture `[height, width, channel]` and its mask `[height, width]`, which is 1 where the picture is *not* seen.
#[derive(Debug, Clone, Copy)]
pub struct Layer<'a> {
    /// The colours.
    pub colours: &'a [f32],
    /// What is not seen.
    pub hidden: &'a [f32],
}

/// Puts the source on the destination, both of one size, into `(colours, hidden)` of that size, which are zeros before; the
/// colours come out in 0..1. Where next to nothing is seen the result is black.
pub fn porter_duff(
    mode: PorterDuff,
    source: Layer<'_>,
    destination: Layer<'_>,
    channels: usize,
    (colours, hidden): (&mut [f32], &mut [f32]),
) {
    let block = 1 << 12;
    let pixels = block * channels.max(1);
    colours
        .par_chunks_mut(pixels)
        .zip(
            source
                .colours
                .par_chunks(pixels)
                .zip(destination.colours.par_chunks(pixels)),
        )
        .zip(
            hidden.par_chunks_mut(block).zip(
                source
                    .hidden
                    .par_chunks(block)
                    .zip(destination.hidden.par_chunks(block)),
            ),
        )
        .for_each(
            |((colours, (above, below)), (hidden, (hides_above, hides_below)))| {
                let above = above.chunks_exact(channels);
                let below = below.chunks_exact(channels);
                let results = colours.chunks_exact_mut(channels).zip(hidden);
                let masks = hides_above.iter().zip(hides_below);
                for (((colours, hidden), (above, below)), (above_hidden, below_hidden)) in
                    results.zip(above.zip(below)).zip(masks)
                {
                    let (s, d) = (1.0 - above_hidden, 1.0 - below_hidden);
                    let opacity = mode.opacity(s, d);
                    *hidden = 1.0 - opacity;
                    if opacity > 1e-5 {
                        for (colour, (above, below)) in
                            colours.iter_mut().zip(above.iter().zip(below))
                        {
                            let seen = mode.colour(above * s, below * d, s, d);
                            *colour = (seen / opacity).clamp(0.0, 1.0);
                        }
                    }
                }
            },
        );
}
