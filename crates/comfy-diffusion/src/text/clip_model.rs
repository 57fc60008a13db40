//! CLIP's text transformer (Radford et al. 2021, "Learning transferable visual models from natural language supervision"):
//! token and position embeddings, then layers of causal self-attention and a two-layer perceptron, each on a normalised input and
//! added to it, then a last norm.

use burn::tensor::{Tensor, TensorData};

use super::token::{CHUNK_LENGTH, Chunk, Token};
use super::vocabulary::END;
use crate::device::ComputeDevice;
use crate::error::{Error, Result};
use crate::ops::{LayerNorm, Linear, Mask, Strategies, attention, gelu, quick_gelu};
use crate::residency::Part;
use crate::weights::{Scope, TensorSource};

/// Features of one attention head, in every CLIP text model.
const HEAD_SIZE: usize = 64;

/// Added to variances.
const EPSILON: f64 = 1e-5;

/// Chunks that go through the layers at once; it bounds the memory that a long prompt takes.
const CHUNKS_AT_ONCE: usize = 8;

/// The perceptron's activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// OpenAI's models.
    QuickGelu,
    /// OpenCLIP's models.
    Gelu,
}

/// Which layer's output is the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HiddenChoice {
    /// Layers left out at the end: 0 for the last one's output. If no layer is left, it is the last one's, normalised.
    pub skipped_layers: usize,
    /// Whether the last norm is applied to it.
    pub normalised: bool,
}

/// What the model makes of a prompt.
#[derive(Debug, Clone)]
pub struct ClipOutput {
    /// The chosen layer's output, `[chunks, 77, width]`.
    pub hidden: Tensor<3>,
    /// The summary of the first chunk, `[1, width]`: the normalised last layer at its first end mark, projected if the model has a
    /// projection.
    pub pooled: Tensor<2>,
    /// The same before it is projected, `[1, width]`.
    pub summary: Tensor<2>,
}

/// A CLIP text transformer. All sizes come from the file; heads have 64 features.
#[derive(Debug)]
pub struct ClipTextModel {
    embeddings: Embeddings,
    layers: Vec<Part<Layer>>,
    final_norm: LayerNorm,
    projection: Option<Linear>,
    device: ComputeDevice,
}

impl ClipTextModel {
    /// Loads the model from weights in the layout of Hugging Face's `CLIPTextModel`, where `text_model.` may be left out.
    pub fn load(
        source: &TensorSource,
        activation: Activation,
        device: &ComputeDevice,
    ) -> Result<Self> {
        let scope = source.scope();
        let model = if scope.has_scope("text_model") {
            scope.enter("text_model")
        } else {
            scope.clone()
        };
        let embeddings = Embeddings::load(source, &model.enter("embeddings"))?;
        let width = embeddings.width;
        if width == 0 || !width.is_multiple_of(HEAD_SIZE) {
            let embeddings = model.enter("embeddings");
            return Err(embeddings.shape_error(
                TOKENS,
                format!("a width that is a multiple of {HEAD_SIZE}"),
                embeddings.shape(TOKENS)?,
            ));
        }
        let list = model.enter("encoder.layers");
        let count = model.enter("encoder").count("layers");
        if count == 0 {
            // Names the tensor that is missing.
            list.shape("0.self_attn.q_proj.weight")?;
        }
        let final_norm = norm(&model, "final_layer_norm", width, device)?;
        let projection = if scope.has_scope("text_projection") {
            let scope = scope.enter("text_projection");
            let [outputs, _] = scope.dims("weight")?;
            require(&scope, "weight", &[outputs, width])?;
            Some(Linear::load(&scope, device)?)
        } else {
            None
        };
        let form = LayerForm {
            width,
            heads: width / HEAD_SIZE,
            activation,
            mask: Mask::Causal,
        };
        Ok(Self {
            embeddings,
            layers: Layer::load_all(&list, count, form, device)?,
            final_norm,
            projection,
            device: device.clone(),
        })
    }

    /// Features of each vector.
    pub fn width(&self) -> usize {
        self.embeddings.width
    }

    /// The number of layers.
    pub fn depth(&self) -> usize {
        self.layers.len()
    }

    /// Encodes chunks. `padding` takes the place of embedding vectors of another width, which are left out.
    pub fn encode(
        &self,
        chunks: &[Chunk],
        padding: u32,
        choice: HiddenChoice,
    ) -> Result<ClipOutput> {
        let mut hidden = Vec::new();
        let mut summary = None;
        for batch in chunks.chunks(CHUNKS_AT_ONCE) {
            let embedded = self.embeddings.embed(batch, padding)?;
            let x = self.upload(embedded.values, batch.len());
            let (chosen, last) = self.transform(x, choice, &mut |_, _| {})?;
            hidden.push(chosen);
            summary.get_or_insert_with(|| self.summary(&last, embedded.first_end));
        }
        let summary = summary
            .ok_or_else(|| Error::input("expected at least one chunk of tokens, got none"))?;
        Ok(ClipOutput {
            hidden: Tensor::cat(hidden, 0),
            pooled: self.project(summary.clone()),
            summary,
        })
    }

    /// The output of each layer, and last that of the last norm, each `[chunks, 77, width]`.
    pub fn layer_outputs(&self, chunks: &[Chunk], padding: u32) -> Result<Vec<Tensor<3>>> {
        let embedded = self.embeddings.embed(chunks, padding)?;
        let choice = HiddenChoice {
            skipped_layers: 0,
            normalised: true,
        };
        let mut outputs = Vec::new();
        let x = self.upload(embedded.values, chunks.len());
        let mut observe = |_, x: &Tensor<3>| outputs.push(x.clone());
        let (_, last) = self.transform(x, choice, &mut observe)?;
        outputs.push(last);
        Ok(outputs)
    }

    fn upload(&self, values: Vec<f32>, chunks: usize) -> Tensor<3> {
        Tensor::from_data(
            TensorData::new(values, [chunks, CHUNK_LENGTH, self.width()]),
            self.device.tensor_device(),
        )
    }

    /// The chosen layer's output and the normalised last one.
    fn transform(
        &self,
        mut x: Tensor<3>,
        choice: HiddenChoice,
        observe: &mut dyn FnMut(usize, &Tensor<3>),
    ) -> Result<(Tensor<3>, Tensor<3>)> {
        let depth = self.layers.len();
        let (skipped, normalised) = if choice.skipped_layers < depth {
            (choice.skipped_layers, choice.normalised)
        } else {
            (0, true)
        };
        let mut chosen = None;
        for (index, layer) in self.layers.iter().enumerate() {
            x = layer.get()?.forward(x, self.device.strategies());
            observe(index, &x);
            if index + 1 + skipped == depth {
                chosen = Some(x.clone());
            }
        }
        let chosen =
            chosen.expect("a model has at least one layer, and fewer are skipped than there are");
        let last = self.final_norm.forward(x);
        let chosen = match (normalised, skipped) {
            (true, 0) => last.clone(),
            (true, _) => self.final_norm.forward(chosen),
            (false, _) => chosen,
        };
        Ok((chosen, last))
    }

    fn summary(&self, last: &Tensor<3>, position: usize) -> Tensor<2> {
        last.clone()
            .slice([0..1, position..position + 1, 0..self.width()])
            .reshape([1, self.width()])
    }

    fn project(&self, summary: Tensor<2>) -> Tensor<2> {
        match &self.projection {
            Some(projection) => projection.forward_rows(summary),
            None => summary,
        }
    }
}

/// The name of the token table within the embeddings.
const TOKENS: &str = "token_embedding.weight";

/// Vectors of tokens and of places.
///
/// The table of tokens stays in the file: a prompt reads a few hundred of its 49 408 rows.
#[derive(Debug)]
struct Embeddings {
    source: TensorSource,
    /// Where they lie within the source.
    place: String,
    width: usize,
    /// `[77, width]`
    positions: Vec<f32>,
}

/// Chunks as vectors.
struct Embedded {
    /// `[chunks, 77, width]`
    values: Vec<f32>,
    /// The place of the first end mark in the first chunk.
    first_end: usize,
}

impl Embeddings {
    fn load(source: &TensorSource, scope: &Scope) -> Result<Self> {
        let [entries, width] = scope.dims(TOKENS)?;
        if entries <= END as usize {
            return Err(scope.shape_error(
                TOKENS,
                format!("at least {} rows", END + 1),
                &[entries, width],
            ));
        }
        // Counts as read from now on, so that a report made after loading is right.
        scope.ignore(TOKENS);
        scope.ignore("position_ids");
        let positions = "position_embedding.weight";
        match *scope.shape(positions)? {
            [places, found] if places >= CHUNK_LENGTH && found == width => {}
            ref shape => {
                return Err(scope.shape_error(
                    positions,
                    format!("[{CHUNK_LENGTH}, {width}]"),
                    shape,
                ));
            }
        }
        let mut positions = scope.values(positions)?;
        positions.truncate(CHUNK_LENGTH * width);
        Ok(Self {
            source: source.clone(),
            place: scope.prefix()[source.scope().prefix().len()..].to_owned(),
            width,
            positions,
        })
    }

    fn embed(&self, chunks: &[Chunk], padding: u32) -> Result<Embedded> {
        let scope = self.source.scope().enter(&self.place);
        let mut values = Vec::with_capacity(chunks.len() * CHUNK_LENGTH * self.width);
        let mut first_end = None;
        for chunk in chunks {
            let fitting: Vec<&Token> = chunk
                .iter()
                .map(|token| &token.token)
                .filter(|token| self.fits(token))
                .collect();
            let pad = Token::Id(padding);
            let tokens: Vec<&Token> = fitting
                .into_iter()
                .chain(std::iter::repeat(&pad))
                .take(CHUNK_LENGTH)
                .collect();
            first_end
                .get_or_insert_with(|| tokens.iter().position(|token| **token == Token::Id(END)));
            let ids: Vec<usize> = tokens
                .iter()
                .filter_map(|token| {
                    if let Token::Id(id) = token {
                        Some(*id as usize)
                    } else {
                        None
                    }
                })
                .collect();
            let rows = scope.rows(TOKENS, &ids)?;
            let mut rows = rows.chunks_exact(self.width);
            for (token, position) in tokens.iter().zip(self.positions.chunks_exact(self.width)) {
                let vector = match token {
                    Token::Id(_) => rows.next().expect("one row was read for each id"),
                    Token::Vector(vector) => vector,
                };
                values.extend(
                    vector
                        .iter()
                        .zip(position)
                        .map(|(value, offset)| value + offset),
                );
            }
        }
        Ok(Embedded {
            values,
            first_end: first_end.flatten().unwrap_or(0),
        })
    }

    /// Whether a token is an entry of the table or a vector of its width.
    fn fits(&self, token: &Token) -> bool {
        match token {
            Token::Id(_) => true,
            Token::Vector(vector) if vector.len() == self.width => true,
            Token::Vector(vector) => {
                tracing::warn!(
                    "an embedding of width {} does not fit a text encoder of width {} and is left out",
                    vector.len(),
                    self.width
                );
                false
            }
        }
    }
}

/// One layer of a transformer of CLIP: self-attention and a perceptron, each on a normalised input and added to it.
#[derive(Debug)]
pub struct Layer {
    attention_norm: LayerNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    perceptron_norm: LayerNorm,
    widen: Linear,
    activation: Activation,
    narrow: Linear,
    heads: usize,
    mask: Mask,
}

/// What all layers of a transformer have in common.
#[derive(Debug, Clone, Copy)]
pub struct LayerForm {
    /// Features of each vector.
    pub width: usize,
    /// The attention's heads, whose number divides the width.
    pub heads: usize,
    /// What the perceptron computes.
    pub activation: Activation,
    /// Which vectors a vector attends to.
    pub mask: Mask,
}

impl Layer {
    /// The layers `0`, `1`, … of `scope`, each in memory as long as there is room for it.
    pub(crate) fn load_all(
        scope: &Scope,
        count: usize,
        form: LayerForm,
        device: &ComputeDevice,
    ) -> Result<Vec<Part<Self>>> {
        let part = |index| {
            let target = device.clone();
            let load = move |scope: &Scope| Self::load(scope, form, &target);
            Part::new(&scope.enter(index), load)
        };
        let layers: Vec<_> = (0..count).map(part).collect();
        for layer in &layers {
            // Shows what is wrong with it before anything is computed.
            layer.get()?;
        }
        Ok(layers)
    }

    /// The layer at `scope` with the names of Hugging Face's `CLIPEncoderLayer`.
    pub fn load(scope: &Scope, form: LayerForm, device: &ComputeDevice) -> Result<Self> {
        let LayerForm {
            width,
            heads,
            activation,
            mask,
        } = form;
        let square = |name: &str| linear(scope, name, width, width, device);
        let [hidden, _] = scope.dims("mlp.fc1.weight")?;
        Ok(Self {
            attention_norm: norm(scope, "layer_norm1", width, device)?,
            query: square("self_attn.q_proj")?,
            key: square("self_attn.k_proj")?,
            value: square("self_attn.v_proj")?,
            output: square("self_attn.out_proj")?,
            perceptron_norm: norm(scope, "layer_norm2", width, device)?,
            widen: linear(scope, "mlp.fc1", width, hidden, device)?,
            activation,
            narrow: linear(scope, "mlp.fc2", hidden, width, device)?,
            heads,
            mask,
        })
    }

    /// The output for vectors `[batch, tokens, width]`.
    pub fn forward(&self, x: Tensor<3>, strategies: &Strategies) -> Tensor<3> {
        let h = self.attention_norm.forward(x.clone());
        let (query, key, value) = (
            self.query.forward(h.clone()),
            self.key.forward(h.clone()),
            self.value.forward(h),
        );
        let x = x + self.output.forward(attention(
            strategies, query, key, value, self.heads, self.mask,
        ));
        let h = self.widen.forward(self.perceptron_norm.forward(x.clone()));
        let h = match self.activation {
            Activation::QuickGelu => quick_gelu(strategies, h),
            Activation::Gelu => gelu(strategies, h),
        };
        x + self.narrow.forward(h)
    }
}

/// A linear layer of known sizes, with a bias.
fn linear(
    scope: &Scope,
    name: &str,
    inputs: usize,
    outputs: usize,
    device: &ComputeDevice,
) -> Result<Linear> {
    let scope = scope.enter(name);
    require(&scope, "weight", &[outputs, inputs])?;
    require(&scope, "bias", &[outputs])?;
    Linear::load(&scope, device)
}

/// A norm of known width.
fn norm(scope: &Scope, name: &str, width: usize, device: &ComputeDevice) -> Result<LayerNorm> {
    let scope = scope.enter(name);
    require(&scope, "weight", &[width])?;
    LayerNorm::load(&scope, EPSILON, device)
}

/// Says which tensor is missing or of another shape.
fn require(scope: &Scope, name: &str, expected: &[usize]) -> Result<()> {
    let shape = scope.shape(name)?;
    if shape == expected {
        return Ok(());
    }
    Err(scope.shape_error(name, format!("{expected:?}"), shape))
}
