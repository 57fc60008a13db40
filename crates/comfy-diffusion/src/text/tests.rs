//! Tokens, layers and encodings against recordings.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a failing test may panic, and figures are worth printing"
)]

use std::path::PathBuf;
use std::sync::Arc;

use burn::tensor::Tensor;
use comfy_fixtures::{assert_close, checkpoint, golden, json_lines, relative_l2};
use serde_json::{Value, json};

use super::clip_model::{Activation, ClipTextModel};
use super::embedding::EmbeddingFiles;
use super::token::{CLIP_G, CLIP_L, Chunk, Token, chunks_of_prompt};
use super::{CLIP_L_LAST, Clip, ClipEncoder};
use crate::device::ComputeDevice;
use crate::weights::{Rounding, TensorSource, Weights};

const TOLERANCE: f64 = 1e-4;
const PREFIX: &str = "cond_stage_model.transformer";

/// The recordings' embeddings.
#[derive(Debug)]
struct RecordedEmbeddings;

impl EmbeddingFiles for RecordedEmbeddings {
    fn find(&self, name: &str) -> Option<PathBuf> {
        ["ref_emb128", "ref_emb768"]
            .contains(&name)
            .then(|| comfy_fixtures::path(&format!("embeddings/{name}.safetensors")))
    }
}

/// Chunks as the recordings have them.
fn to_json(chunks: &[Chunk]) -> Value {
    let token = |token: &Token| match token {
        Token::Id(id) => json!(id),
        Token::Vector(vector) => json!({"embed": [vector.len()], "first": f64::from(vector[0])}),
    };
    chunks
        .iter()
        .map(|chunk| {
            chunk
                .iter()
                .map(|place| json!([token(&place.token), place.weight]))
                .collect::<Value>()
        })
        .collect()
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

fn tiny_clip() -> Clip {
    let weights = Arc::new(Weights::open(&checkpoint("sd15_tiny")).unwrap());
    let encoder = ClipEncoder::new(&ComputeDevice::cpu()).with(CLIP_L_LAST, &weights, PREFIX);
    Clip::new(Arc::new(encoder)).with_embeddings(Arc::new(RecordedEmbeddings))
}

#[test]
fn tokens_are_the_recorded_ones() {
    let encoders = [
        ("sd15", "l", CLIP_L),
        ("sdxl", "l", CLIP_L),
        ("sdxl", "g", CLIP_G),
    ];
    let mut failures = Vec::new();
    let lines = json_lines("golden/tokens.jsonl");
    assert!(lines.len() > 50);
    for line in &lines {
        for (family, encoder, rules) in encoders {
            let want = &line[family][encoder];
            if want.is_null() {
                continue;
            }
            let prompt = line["prompt"].as_str().unwrap();
            let chunks = chunks_of_prompt(prompt, rules, Some(&RecordedEmbeddings)).unwrap();
            let got = to_json(&chunks);
            if got != *want {
                failures.push(format!(
                    "{family} {encoder} {prompt:?}\n got {got}\nwant {want}"
                ));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_layer_gives_the_recorded_values() {
    let weights = Arc::new(Weights::open(&checkpoint("sd15_tiny")).unwrap());
    let device = ComputeDevice::cpu();
    let source = TensorSource::new(&weights, PREFIX, Rounding::Half);
    let model = ClipTextModel::load(&source, Activation::QuickGelu, &device).unwrap();
    assert_eq!((model.depth(), model.width()), (12, 128));
    let chunks = chunks_of_prompt("a photo of a cat", CLIP_L, None).unwrap();
    let outputs = model.layer_outputs(&chunks, CLIP_L.padding).unwrap();
    let recorded = golden("clip_layers_sd15_tiny");
    let place = "clip_l.transformer.text_model";
    for (index, output) in outputs.into_iter().enumerate() {
        let name = match index {
            12 => format!("{place}.final_layer_norm"),
            _ => format!("{place}.encoder.layers.{index}"),
        };
        assert_close(&name, &values(output), &recorded.f32(&name), TOLERANCE);
    }
    assert_eq!(
        weights.unused("cond_stage_model.").collect::<Vec<_>>(),
        [""; 0]
    );
}

#[test]
fn prompts_give_the_recorded_vectors() {
    let clip = tiny_clip();
    let recorded = golden("clip_sd15_tiny");
    let prompts: Vec<String> =
        serde_json::from_value(comfy_fixtures::json("golden/prompts.json")).unwrap();
    let mut worst = 0.0_f64;
    for (index, prompt) in prompts.iter().enumerate() {
        let mut cases = vec![(format!("p{index}"), clip.clone())];
        for skip in [-1, -2, -3] {
            cases.push((format!("p{index}.skip{skip}"), clip.with_last_layer(skip)));
        }
        for (name, clip) in cases {
            if !recorded.has(&format!("{name}.cond")) {
                continue;
            }
            let encoded = clip.encode(prompt).unwrap();
            let (shape, want) = recorded.tensor(&format!("{name}.cond"));
            assert_eq!(encoded.cond.dims().to_vec(), shape, "{name} {prompt:?}");
            let got = values(encoded.cond);
            worst = worst.max(relative_l2(&got, &want));
            assert_close(&format!("{name} {prompt:?}"), &got, &want, TOLERANCE);
            let want = recorded.f32(&format!("{name}.pooled"));
            let got = values(encoded.pooled.unwrap());
            assert_close(&format!("{name}.pooled"), &got, &want, TOLERANCE);
        }
    }
    println!("largest relative difference of a conditioning: {worst:.2e}");
}

#[test]
fn a_layer_that_does_not_exist_is_the_last_one() {
    let clip = tiny_clip();
    let last = values(clip.encode("cat").unwrap().cond);
    for layer in [-1, -13, -24, 0, 5, i32::MIN] {
        let got = values(clip.with_last_layer(layer).encode("cat").unwrap().cond);
        assert_eq!(got, last, "{layer}");
    }
    let first = values(clip.with_last_layer(-12).encode("cat").unwrap().cond);
    assert!(relative_l2(&first, &last) > 0.01);
}

#[test]
fn an_embedding_of_another_width_is_left_out() {
    let clip = tiny_clip();
    let got = values(clip.encode("a embedding:ref_emb768 cat").unwrap().cond);
    let want = values(clip.encode("a cat").unwrap().cond);
    assert_eq!(got, want);
}

#[test]
fn a_long_prompt_is_encoded_in_batches_that_do_not_show() {
    let clip = tiny_clip();
    let prompt = "cat, ".repeat(400);
    let cond = clip.encode(&prompt).unwrap().cond;
    let [_, tokens, width] = cond.dims();
    assert!(tokens > 9 * 77, "{tokens}");
    // All chunks but the last are alike.
    let first = values(cond.clone().slice([0..1, 0..77, 0..width]));
    let ninth = values(cond.slice([0..1, 8 * 77..9 * 77, 0..width]));
    assert!(relative_l2(&ninth, &first) < 1e-5);
}
