//! The way down of a UNet to its lowest resolution. Networks that steer a UNet have one of their own.

use burn::tensor::{DType, Tensor};

use super::layer::Stage;
use super::perceptron::Perceptron;
use crate::device::ComputeDevice;
use crate::error::{Error, Result};
use crate::models::timestep::timestep_embedding;
use crate::models::{Activation, NetworkInput, Observer};
use crate::ops::{InElement, silu};
use crate::weights::Scope;

/// The embeddings of time and label, the stages down, and the middle.
#[derive(Debug)]
pub(super) struct Descent {
    time_embedding: Perceptron,
    /// Only for networks that are conditioned on a label vector.
    label_embedding: Option<Perceptron>,
    pub(super) stages: Vec<Stage>,
    pub(super) middle: Stage,
    in_channels: usize,
    device: ComputeDevice,
}

/// What follows from the shapes of a way down.
pub(super) struct Extents {
    /// The channels that each stage gives.
    pub(super) stages: Vec<usize>,
    /// Those of the middle.
    pub(super) middle: usize,
    /// The widths of texts that are read.
    pub(super) contexts: Vec<usize>,
}

impl Descent {
    /// Builds it from the tensors of `scope` (`time_embed`, `label_emb`, `input_blocks`, `middle_block`).
    pub(super) fn load(scope: &Scope, device: &ComputeDevice) -> Result<Self> {
        let [_, in_channels, ..] = scope.dims::<4>("input_blocks.0.0.weight")?;
        let label = scope.enter("label_emb.0");
        Ok(Self {
            time_embedding: Perceptron::load(&scope.enter("time_embed"), device)?,
            label_embedding: scope
                .has_scope("label_emb.0")
                .then(|| Perceptron::load(&label, device))
                .transpose()?,
            stages: Stage::load_all(scope, "input_blocks", device)?,
            middle: Stage::load(scope, "middle_block", device)?,
            in_channels,
            device: device.clone(),
        })
    }

    /// Follows the channels through the stages, so that no call can meet a shape that does not fit.
    pub(super) fn check(&self, scope: &Scope) -> Result<Extents> {
        let embedding = self.embedding_width();
        let mut channels = self.in_channels;
        let mut contexts = Vec::new();
        let mut stages = Vec::with_capacity(self.stages.len());
        for stage in &self.stages {
            channels = stage.check(scope, channels, embedding, &mut contexts)?;
            stages.push(channels);
        }
        let middle = self
            .middle
            .check(scope, channels, embedding, &mut contexts)?;
        if let Some(label) = &self.label_embedding
            && label.outputs() != embedding
        {
            let name = "label_emb.0.2.weight";
            let expected = format!("{embedding} outputs");
            return Err(scope.shape_error(name, expected, scope.shape(name)?));
        }
        Ok(Extents {
            stages,
            middle,
            contexts,
        })
    }

    /// Channels of the input.
    pub(super) fn in_channels(&self) -> usize {
        self.in_channels
    }

    /// The channels of the first stage, of which others have multiples.
    pub(super) fn base_channels(&self) -> usize {
        self.time_embedding.inputs()
    }

    /// The width of the embedding that every residual block starts from.
    pub(super) fn embedding_width(&self) -> usize {
        self.time_embedding.outputs()
    }

    /// The embedding of time and, if the network has one, label; with `further` added to that of the time. It is activated, as every
    /// residual block begins with that.
    pub(super) fn embed(
        &self,
        input: &NetworkInput,
        further: Option<Tensor<2>>,
        observe: Observer,
    ) -> Result<Tensor<2>> {
        let times = timestep_embedding(
            input.timesteps.clone(),
            self.time_embedding.inputs(),
            &self.device,
        )?;
        let mut embedding = self
            .time_embedding
            .forward(times.in_element(self.element()));
        observe("time_embed", Activation::Rows(&embedding));
        if let Some(further) = further {
            embedding = embedding + further.in_element(self.element());
        }
        if let (Some(perceptron), Some(label)) = (&self.label_embedding, &input.label) {
            embedding = embedding + perceptron.forward(label.clone());
        }
        Ok(silu(self.device.strategies(), embedding))
    }

    /// An input in the element type that the network computes in.
    pub(super) fn enter(&self, input: NetworkInput) -> NetworkInput {
        let element = self.element();
        NetworkInput {
            x: input.x.in_element(element),
            context: input.context.map(|context| context.in_element(element)),
            label: input.label.map(|label| label.in_element(element)),
            ..input
        }
    }

    /// The element type that the network computes in.
    pub(super) fn element(&self) -> DType {
        self.device.strategies().element()
    }

    /// Whether an input fits, and a text of `context_width`.
    pub(super) fn check_input(
        &self,
        input: &NetworkInput,
        context_width: Option<usize>,
    ) -> Result<()> {
        let [batch, channels, height, width] = input.x.dims();
        if channels != self.in_channels || batch == 0 || height == 0 || width == 0 {
            return Err(Error::input(format!(
                "the network takes latents of {} channels and at least one pixel, got {:?}",
                self.in_channels,
                input.x.dims()
            )));
        }
        if input.timesteps.dims() != [batch] {
            return Err(Error::input(format!(
                "expected {batch} timesteps, got {:?}",
                input.timesteps.dims()
            )));
        }
        let context = input.context.as_ref().map(Tensor::dims);
        match (context_width, context) {
            (None, _) => {}
            (Some(width), Some([rows, tokens, found]))
                if rows == batch && tokens > 0 && found == width => {}
            (Some(width), found) => {
                return Err(Error::input(format!(
                    "the network takes encoded text of shape [{batch}, tokens, {width}], got {found:?}; is the text encoder of another model in use?"
                )));
            }
        }
        let label = input.label.as_ref().map(Tensor::dims);
        match &self.label_embedding {
            None => Ok(()),
            Some(perceptron) if label == Some([batch, perceptron.inputs()]) => Ok(()),
            Some(perceptron) => Err(Error::input(format!(
                "the network takes a label vector of shape [{batch}, {}], got {label:?}",
                perceptron.inputs()
            ))),
        }
    }
}

/// The width of the text that is read, if any is; different ones within a network are an error.
pub(super) fn only_width(scope: &Scope, mut contexts: Vec<usize>) -> Result<Option<usize>> {
    contexts.dedup();
    match contexts[..] {
        [] => Ok(None),
        [width] => Ok(Some(width)),
        _ => Err(Error::UnknownModel {
            path: scope.weights().path().to_owned(),
            reason: format!(
                "cross-attention of {} reads texts of different widths {contexts:?}",
                scope.prefix()
            ),
        }),
    }
}
