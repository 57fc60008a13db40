//! Formulas against figures that PyTorch gives for the original's.

use std::ops::ControlFlow;
use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use comfy_fixtures::{Golden, golden, relative_l2};
use serde_json::Value;

use super::frequency::scale_frequencies;
use super::self_attention::blurred_where_seen;
use super::*;
use crate::device::ComputeDevice;
use crate::models::hooks::{
    AttentionInput, AttentionKind, AttentionSite, NetworkCall, NetworkHook, NetworkHooks, Part,
    Place, Site,
};
use crate::models::{Network, NetworkInput};
use crate::random::TorchGenerator;
use crate::residency::Resident;
use crate::sampling::samplers::Method;
use crate::sampling::{
    BesideRule, ClassifierFree, Conditioning, Hooks, LatentFormat, Memory, ModelSampling,
    Prediction, Run, SampleRequest, sample,
};
use crate::{Model, Result};

fn normal(seed: u64, shape: [usize; 4]) -> Tensor<4> {
    let values = TorchGenerator::new(seed).randn(shape.iter().product());
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

fn values(tensor: Tensor<4>) -> Vec<f32> {
    tensor.into_data().try_into_vec().unwrap()
}

#[test]
fn low_frequencies_are_scaled_as_by_a_fourier_transform() {
    // Of a wave and a constant only the constant is lower than any wave.
    let line = |wave: f32| -> Vec<f32> {
        (0..8)
            .map(|place| 2.0 + wave * (std::f32::consts::TAU * 3.0 * place as f32 / 8.0).cos())
            .collect()
    };
    let plane = |wave| {
        Tensor::<4>::from_data(
            TensorData::new([line(wave), line(wave)].concat(), [1, 1, 2, 8]),
            &Device::flex(),
        )
    };
    let scaled = values(scale_frequencies(plane(1.0), [1, 1], 0.5, 1.0));
    let want = values(plane(1.0).sub_scalar(1.0));
    for (got, want) in scaled.iter().zip(want) {
        assert!((got - want).abs() < 1e-5, "{scaled:?}");
    }
    // Everything is low within a single cell.
    assert_eq!(
        values(scale_frequencies(
            Tensor::ones([1, 2, 1, 1], &Device::flex()),
            [1, 1],
            0.25,
            3.0
        )),
        [0.25; 2]
    );
    let noise = normal(1, [1, 2, 6, 5]);
    let same = values(scale_frequencies(noise.clone(), [2, 2], 1.0, 1.0));
    assert_eq!(same, values(noise));
}

/// A network that answers with the clean latent that its text stands for: the positive one for 1, the negative one for 0.
struct Answers {
    positive: Tensor<4>,
    negative: Tensor<4>,
}

impl Network for Answers {
    fn forward(&self, input: NetworkInput) -> Result<Tensor<4>> {
        let texts = values_of(input.context.unwrap());
        let batch = self.positive.dims()[0];
        let width = texts.len() / input.x.dims()[0];
        let answers = texts.chunks(width * batch).map(|text| {
            if text[0] > 0.5 {
                self.positive.clone()
            } else {
                self.negative.clone()
            }
        });
        Ok(Tensor::cat(answers.collect(), 0))
    }

    fn in_channels(&self) -> usize {
        4
    }
}

fn values_of<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec().unwrap()
}

fn recorded<const D: usize>(golden: &Golden, name: &str) -> Tensor<D> {
    let (shape, values) = golden.tensor(name);
    let shape: [usize; D] = shape.try_into().unwrap();
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

fn assert_near<const D: usize>(golden: &Golden, name: &str, got: Tensor<D>) {
    let (shape, want) = golden.tensor(name);
    assert_eq!(got.dims().to_vec(), shape, "{name}");
    let difference = relative_l2(&values_of(got), &want);
    assert!(difference < 2e-6, "{name} differs by {difference:.1e}");
}

/// The hooks of a recorded case.
fn hooks(class: &str, inputs: &Value) -> Hooks {
    let hooks = Hooks::default();
    let number = |name: &str| inputs[name].as_f64().unwrap();
    match class {
        "RescaleCFG" => hooks.with_function(Arc::new(RescaledGuidance {
            multiplier: number("multiplier"),
        })),
        "APG" => {
            let guidance =
                ProjectedGuidance::new(number("eta"), number("norm_threshold"), number("momentum"));
            hooks.with_before(Arc::new(guidance))
        }
        "TCFG" => hooks.with_before(Arc::new(TangentialDamping)),
        "FreSca" => hooks.with_before(Arc::new(FrequencyScale {
            low: number("scale_low"),
            high: number("scale_high"),
            cutoff: number("freq_cutoff") as usize,
        })),
        "CFGZeroStar" => hooks.with_after(Arc::new(ZeroStar)),
        "CFGNorm" => hooks.with_after(Arc::new(LimitedNorm {
            strength: number("strength"),
        })),
        "Mahiro" => hooks.with_after(Arc::new(Mahiro)),
        "EpsilonScaling" => hooks.with_after(Arc::new(EpsilonScale {
            factor: number("scaling_factor"),
        })),
        other => panic!("{other}"),
    }
}

/// Calls the model with the same x at each level, and keeps its last answer.
struct Calls(Tensor<4>);

impl Method for Calls {
    fn run(&self, run: &mut Run<'_>, _: Tensor<4>) -> Result<Tensor<4>> {
        let mut answer = self.0.clone();
        for sigma in run.sigmas() {
            answer = run.denoise(&self.0, *sigma)?;
        }
        Ok(answer)
    }
}

#[test]
fn guidance_is_what_pytorch_makes_of_it() {
    let golden = golden("patches");
    let x: Tensor<4> = recorded(&golden, "x");
    let text = |value: f32| {
        vec![Conditioning::new(
            Tensor::full([1, 2, 3], value, &Device::flex()),
            None,
        )]
    };
    let cases: Value = serde_json::from_str(&golden.metadata("cases").unwrap()).unwrap();
    for (index, case) in cases.as_array().unwrap().iter().enumerate() {
        let class = case["class"].as_str().unwrap();
        let network = Answers {
            positive: recorded(&golden, "positive"),
            negative: recorded(&golden, "negative"),
        };
        let model = Model {
            recognised: None,
            network: Resident::ready(Arc::new(network)),
            sampling: ModelSampling::stable_diffusion(Prediction::Clean),
            latent_format: LatentFormat {
                scale: 1.0,
                ..LatentFormat::SD15
            },
            label: None,
            beside: BesideRule::Nothing,
            hooks: hooks(class, &case["inputs"]),
            device: ComputeDevice::cpu(),
        };
        let guidance = ClassifierFree {
            positive: text(1.0),
            negative: text(0.0),
            scale: case["scale"].as_f64().unwrap(),
        };
        let sigmas = case["sigmas"].as_array().unwrap();
        let request = SampleRequest {
            model: &model,
            guidance: &guidance,
            latent: x.zeros_like(),
            noise: x.zeros_like(),
            sampler: &Calls(x.clone()),
            sigmas: sigmas
                .iter()
                .map(|sigma| sigma.as_f64().unwrap() as f32)
                .collect(),
            noise_mask: None,
            seed: 0,
            generator: TorchGenerator::new(0),
        };
        let got = sample(request, &mut |_| ControlFlow::Continue(())).unwrap();
        assert_near(&golden, &format!("{index}.x0"), got);
    }
    assert_eq!(cases.as_array().unwrap().len(), 13);
}

/// A call whose hooks draw as after `torch.manual_seed(5)`.
fn call(hooks: NetworkHooks) -> NetworkCall {
    NetworkCall {
        sigma: 1.0,
        lists: vec![0],
        memory: Arc::new(Memory::new(TorchGenerator::new(5))),
        hooks,
    }
}

fn site(call: &NetworkCall, latent: [usize; 2]) -> Site<'_> {
    Site {
        call,
        place: Place {
            part: Part::Output,
            stage: 1,
        },
        latent,
        base_channels: 3,
    }
}

#[test]
fn backbone_and_skips_are_scaled_as_by_pytorch() {
    let golden = golden("patches");
    for (name, version) in [
        ("FreeU", FreeUVersion::Plain),
        ("FreeU_V2", FreeUVersion::Structured),
    ] {
        let hook = FreeU {
            version,
            backbone: [1.3, 1.4],
            skip: [0.9, 0.2],
        };
        for multiple in [4, 2, 1] {
            let key = |part: &str| format!("{name}.{multiple}.{part}");
            let call = call(NetworkHooks::default());
            let (x, skip) = (
                recorded(&golden, &key("h")),
                recorded(&golden, &key("skip")),
            );
            let (x, skip) = hook.before_join(&site(&call, [8, 8]), x, skip).unwrap();
            assert_near(&golden, &key("h_out"), x);
            assert_near(&golden, &key("skip_out"), skip);
        }
    }
}

#[test]
fn queries_are_merged_and_divided_as_by_pytorch() {
    let golden = golden("patches");
    let cases: [(&str, [usize; 2], Arc<dyn NetworkHook>); 2] = [
        ("tome", [7, 6], Arc::new(TokenMerging::new(0.4))),
        (
            "hypertile",
            [8, 16],
            Arc::new(HyperTile::new(32, 3, 1, false)),
        ),
    ];
    for (name, latent, hook) in cases {
        let call = call(NetworkHooks::default());
        let site = AttentionSite {
            site: site(&call, latent),
            kind: AttentionKind::ToItself,
            block: 0,
        };
        let key: Tensor<3> = recorded(&golden, &format!("{name}.key"));
        let input = AttentionInput {
            query: recorded(&golden, &format!("{name}.query")),
            key: key.clone(),
            value: key,
        };
        let input = hook.before_attention(&site, input).unwrap();
        let result = input.query + input.key.mean_dim(1);
        let output = hook.after_attention(&site, result).unwrap();
        assert_near(&golden, &format!("{name}.out"), output);
    }
}

#[test]
fn pictures_are_blurred_where_the_model_looks() {
    let golden = golden("patches");
    let seen = recorded(&golden, "sag.seen");
    let got = blurred_where_seen(&recorded(&golden, "sag.x"), seen, 2.0).unwrap();
    assert_near(&golden, "sag.out", got);
}
