//! What the tensors of a UNet of latent diffusion tell about it.

use crate::sampling::BesideRule;
use crate::weights::Scope;

/// Channels of the latents of all these families.
const LATENT_CHANNELS: usize = 4;

/// A latent, a mask and another latent.
const INPAINTING_CHANNELS: usize = 9;

/// A latent and another latent.
const INSTRUCTED_CHANNELS: usize = 8;

/// The facts by which families of UNets differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct UnetFacts {
    /// Channels of the input: those of the latent, and of whatever is put beside it.
    pub(super) in_channels: usize,
    /// Channels of the output.
    pub(super) out_channels: usize,
    /// The width of the text vectors it attends to; `None` if it attends to none.
    pub(super) context_width: Option<usize>,
    /// Whether it enters and leaves attention through linear layers, not through convolutions.
    pub(super) has_linear_projections: bool,
    /// The width of the vector that conditions it as a whole.
    pub(super) label_width: Option<usize>,
    /// Whether it has layers along time, as networks for videos have.
    pub(super) is_temporal: bool,
    /// Transformer blocks of the first residual block on the way down, at full resolution.
    pub(super) first_depth: usize,
    /// Transformer blocks of the last residual block on the way down, at the lowest resolution.
    pub(super) last_depth: usize,
}

impl UnetFacts {
    /// Reads the facts; `None` if this is no UNet in the original layout.
    pub(super) fn read(scope: &Scope) -> Option<Self> {
        let weights = scope.weights();
        let [_, in_channels, _, _] = scope.dims("input_blocks.0.0.weight").ok()?;
        let [out_channels, _, _, _] = scope.dims("out.2.weight").ok()?;
        // The first of the blocks with this tensor stands for all.
        let shape_of = |ending: &str| {
            weights
                .names(scope.prefix())
                .find(|name| name.ends_with(ending))
                .and_then(|name| weights.shape(name))
        };
        let depths: Vec<usize> = (0..scope.count("input_blocks"))
            .map(|index| scope.enter("input_blocks").enter(index))
            .filter(|block| block.has_scope("0.in_layers"))
            .map(|block| block.enter(1).count("transformer_blocks"))
            .collect();
        Some(Self {
            in_channels,
            out_channels,
            context_width: shape_of(".transformer_blocks.0.attn2.to_k.weight")
                .and_then(|shape| shape.get(1).copied()),
            has_linear_projections: shape_of(".proj_in.weight")
                .is_some_and(|shape| shape.len() == 2),
            label_width: scope
                .dims("label_emb.0.0.weight")
                .ok()
                .map(|[_, width]| width),
            is_temporal: weights
                .names(scope.prefix())
                .any(|name| name.contains(".time_stack.")),
            first_depth: depths.first().copied().unwrap_or_default(),
            last_depth: depths.last().copied().unwrap_or_default(),
        })
    }

    /// Whether it turns latents of four channels into such, conditioned on a text, with what [`UnetFacts::beside`] knows beside them.
    pub(super) fn is_conditioned_latent_model(&self) -> bool {
        self.out_channels == LATENT_CHANNELS
            && self.context_width.is_some()
            && !self.is_temporal
            && self.in_channels == LATENT_CHANNELS + self.beside().channels(LATENT_CHANNELS)
    }

    /// What stands in the input channels that the latent does not take.
    pub(super) fn beside(&self) -> BesideRule {
        match self.in_channels {
            INPAINTING_CHANNELS => BesideRule::MaskAndLatent,
            INSTRUCTED_CHANNELS => BesideRule::Latent { scale: 1.0 },
            _ => BesideRule::Nothing,
        }
    }
}

/// What lies in `scope`, in words that continue "cannot tell which model this is: ".
pub(super) fn describe(scope: &Scope) -> String {
    const SHOWN: usize = 4;
    if let Some(facts) = UnetFacts::read(scope) {
        let text = facts.context_width.map_or("no text".to_owned(), |width| {
            format!("text of width {width}")
        });
        let projections = if facts.has_linear_projections {
            "linear"
        } else {
            "convolutional"
        };
        let label = facts
            .label_width
            .map_or(String::new(), |width| format!(", a label of width {width}"));
        let temporal = if facts.is_temporal {
            ", layers along time"
        } else {
            ""
        };
        return format!(
            "it has a UNet of {} input and {} output channels, {text}, {projections} projections{label}{temporal}",
            facts.in_channels, facts.out_channels
        );
    }
    let weights = scope.weights();
    let (place, prefix) = if weights.names(scope.prefix()).next().is_some() {
        (scope.prefix(), scope.prefix())
    } else {
        ("its top", "")
    };
    let some: Vec<String> = weights
        .names(prefix)
        .take(SHOWN)
        .map(|name| format!("`{name}`"))
        .collect();
    if some.is_empty() {
        return "it has no tensors".to_owned();
    }
    format!(
        "its {} tensors at {place} begin with {}",
        weights.names(prefix).count(),
        some.join(", ")
    )
}
