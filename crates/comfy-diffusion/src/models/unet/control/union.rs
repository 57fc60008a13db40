//! Control nets for several kinds of pictures, which are told the kind (xinsir6, "`ControlNetPlus`", 2024).

use burn::tensor::{Tensor, TensorData};

use super::super::perceptron::Perceptron;
use crate::device::ComputeDevice;
use crate::error::{Error, Result};
use crate::models::timestep::embed_times;
use crate::ops::{LayerNorm, Linear, Strategies, quick_gelu};
use crate::weights::Scope;

/// Added to variances.
const EPSILON: f64 = 1e-5;

/// What depends on the kind of picture.
#[derive(Debug)]
pub(super) struct Union {
    /// A vector for each kind, `[kinds, width]`.
    tasks: Tensor<2>,
    norm: LayerNorm,
    /// Attention to a sequence of one is what the value and the output layer make of it.
    value: Linear,
    output: Linear,
    second_norm: LayerNorm,
    feed_in: Linear,
    feed_out: Linear,
    /// From the summary of a picture to what is added to each of its channels.
    projection: Linear,
    /// From the kind to what is added to the embedding of the time.
    embedding: Perceptron,
    device: ComputeDevice,
    strategies: Strategies,
}

impl Union {
    /// Builds it, if the file has it.
    pub(super) fn load(scope: &Scope, device: &ComputeDevice) -> Result<Option<Self>> {
        if !scope.has_scope("control_add_embedding") {
            return Ok(None);
        }
        let tasks: [usize; 2] = scope.dims("task_embedding")?;
        let width = tasks[1];
        let block = scope.enter("transformer_layes.0");
        let attention = block.enter("attn");
        let joined: [usize; 2] = attention.dims("in_proj.weight")?;
        if joined != [3 * width, width] {
            let expected = format!("{:?}", [3 * width, width]);
            return Err(attention.shape_error("in_proj.weight", expected, &joined));
        }
        // Rows of queries, of keys, then of values.
        let weight: Tensor<2> = attention.tensor("in_proj.weight", joined, device)?;
        let bias: Tensor<1> = attention.tensor("in_proj.bias", [3 * width], device)?;
        let strategies = *device.strategies();
        let value = Linear::new(
            weight.narrow(0, 2 * width, width),
            Some(bias.narrow(0, 2 * width, width)),
            strategies,
        );
        let linear = |scope: &Scope, name: &str| Linear::load(&scope.enter(name), device);
        let norm = |name: &str| LayerNorm::load(&block.enter(name), EPSILON, device);
        Ok(Some(Self {
            tasks: scope.tensor("task_embedding", tasks, device)?,
            norm: norm("ln_1")?,
            value,
            output: linear(&attention, "out_proj")?,
            second_norm: norm("ln_2")?,
            feed_in: linear(&block, "mlp.c_fc")?,
            feed_out: linear(&block, "mlp.c_proj")?,
            projection: linear(scope, "spatial_ch_projs")?,
            embedding: Perceptron::load_named(
                &scope.enter("control_add_embedding"),
                ["linear_1", "linear_2"],
                device,
            )?,
            device: device.clone(),
            strategies,
        }))
    }

    /// Whether it fits a network of these channels and an embedding of this width.
    pub(super) fn check(&self, scope: &Scope, channels: usize, embedding: usize) -> Result<()> {
        let [kinds, width] = self.tasks.dims();
        let layer = |linear: &Linear| [linear.inputs(), linear.outputs()];
        let feed = self.feed_in.outputs();
        let fits = [
            ("task_embedding", width == channels && kinds > 0),
            (
                "transformer_layes.0.ln_1.weight",
                [self.norm.width(), self.second_norm.width()] == [width; 2],
            ),
            (
                "transformer_layes.0.attn.out_proj.weight",
                layer(&self.output) == [width; 2],
            ),
            (
                "transformer_layes.0.mlp.c_fc.weight",
                self.feed_in.inputs() == width && layer(&self.feed_out) == [feed, width],
            ),
            (
                "spatial_ch_projs.weight",
                layer(&self.projection) == [width, channels],
            ),
            (
                "control_add_embedding.linear_1.weight",
                self.embedding.inputs().is_multiple_of(kinds)
                    && self.embedding.outputs() == embedding,
            ),
        ];
        match fits.iter().find(|(_, fits)| !fits) {
            None => Ok(()),
            Some((name, _)) => {
                let expected = format!(
                    "what fits {kinds} kinds of pictures, {channels} channels and an embedding of {embedding}"
                );
                Err(scope.shape_error(name, expected, scope.shape(name)?))
            }
        }
    }

    fn known(&self, task: usize) -> Result<usize> {
        let [kinds, _] = self.tasks.dims();
        if task < kinds {
            return Ok(task);
        }
        Err(Error::input(format!(
            "this control net knows {kinds} kinds of pictures, numbered from 0, and not number {task}; a larger one may"
        )))
    }

    /// What is added to the embedding of the time in each of `rows` rows: which of the kinds it is, each as a time of 1 or 0.
    pub(super) fn embedding(&self, task: Option<usize>, rows: usize) -> Result<Tensor<2>> {
        let [kinds, _] = self.tasks.dims();
        let task = task.map(|task| self.known(task)).transpose()?;
        let marks: Vec<f32> = (0..kinds)
            .map(|kind| if Some(kind) == task { 1.0 } else { 0.0 })
            .collect();
        let inputs = self.embedding.inputs();
        let marks = TensorData::new(embed_times(&marks, inputs / kinds), [1, inputs]);
        let device = self.device.tensor_device();
        let row = self.embedding.forward(Tensor::from_data(marks, device));
        Ok(row.repeat_dim(0, rows))
    }

    /// Features `[pictures, channels, height, width]` of pictures of a kind, with what their summary says of them added to each place.
    pub(super) fn told(&self, features: Tensor<4>, task: Option<usize>) -> Result<Tensor<4>> {
        let Some(task) = task else {
            return Ok(features);
        };
        let task = self.known(task)?;
        let [pictures, channels, height, width] = features.dims();
        let flat: Tensor<3> = features
            .clone()
            .reshape([pictures, channels, height * width]);
        let task: Tensor<3> = self.tasks.clone().narrow(0, task, 1).unsqueeze_dim(0);
        let summary: Tensor<3> = flat.mean_dim(2).swap_dims(1, 2) + task;
        let value = self.value.forward(self.norm.forward(summary.clone()));
        let summary = self.output.forward_add(value, summary);
        let hidden = self
            .feed_in
            .forward(self.second_norm.forward(summary.clone()));
        let hidden = quick_gelu(&self.strategies, hidden);
        let summary = self.feed_out.forward_add(hidden, summary);
        let added: Tensor<4> = self
            .projection
            .forward(summary)
            .reshape([pictures, channels, 1, 1]);
        Ok(features + added)
    }
}
