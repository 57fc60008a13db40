//! Controls against what `ComfyUI` computes, alone and in a network (`tests/fixtures/record_control.py`).

use std::sync::Arc;

use burn::tensor::Tensor;
use comfy_fixtures::{Golden, checkpoint, golden, relative_l2};

use super::{Control, ControlCall, ControlNet, Fading, ReadyControl, Steered};
use crate::device::ComputeDevice;
use crate::models::NetworkInput;
use crate::models::control::Residuals;
use crate::models::gligen::{Grounded, Grounding};
use crate::models::hooks::{NetworkCall, NetworkHook, NetworkHooks};
use crate::models::hypernetwork::Hypernetworking;
use crate::models::testing::{TOLERANCE, recorded};
use crate::random::TorchGenerator;
use crate::sampling::beside::Sampled;
use crate::sampling::condition::Fit;
use crate::sampling::guidance::GuidedModel;
use crate::sampling::host::values;
use crate::sampling::networks::Networks;
use crate::sampling::{
    Area, Cells, ClassifierFree, Conditioning, Denoise, GroundedThings, Memory, ProgressRange,
};
use crate::{Model, open_checkpoint, open_control_net, open_gligen, open_hypernetwork};

const SIGMA: f32 = 2.0;

struct Bench {
    golden: Golden,
    device: ComputeDevice,
    model: Model,
    memory: Arc<Memory>,
}

impl Bench {
    fn new() -> Self {
        let device = ComputeDevice::cpu();
        let opened = open_checkpoint(&checkpoint("sd15_tiny"), &device).unwrap();
        Self {
            golden: golden("control"),
            model: opened.model.unwrap(),
            memory: Arc::new(Memory::new(TorchGenerator::new(0))),
            device,
        }
    }

    fn tensor<const D: usize>(&self, name: &str) -> Tensor<D> {
        recorded(&self.golden, name, &self.device)
    }

    fn net(&self, file: &str) -> ControlNet {
        open_control_net(&checkpoint(file), None, &self.device).unwrap()
    }

    /// The first of the recorded pictures, as many as are asked for.
    fn pictures(&self, count: usize) -> Tensor<4> {
        self.tensor("pictures").narrow(0, 0, count)
    }

    fn input(&self, x: Tensor<4>, context: &str) -> NetworkInput {
        let rows = x.dims()[0];
        let timestep = self.model.sampling.table.timestep(SIGMA);
        NetworkInput {
            x: self.model.sampling.network_input(x, SIGMA),
            timesteps: Tensor::full([rows], timestep, self.device.tensor_device()),
            context: Some(self.tensor(context)),
            label: None,
            hooks: None,
        }
    }

    fn residuals(&self, control: Control, input: NetworkInput) -> crate::Result<Residuals> {
        let control = ReadyControl::new(&Arc::new(control), &self.model)?;
        let call = ControlCall {
            input,
            sigma: SIGMA,
            parts: 2,
            sampling: &self.model.sampling,
            memory: &self.memory,
        };
        Ok(control.residuals(&call)?.unwrap_or_default())
    }

    /// Compares with all that was recorded under a name.
    fn check(&self, name: &str, residuals: &Residuals) {
        self.check_part(name, "", residuals);
    }

    /// The same of one list; the name of none is that of all.
    fn check_part(&self, name: &str, only: &str, residuals: &Residuals) {
        let lists = [
            ("input", &residuals.input),
            ("middle", &residuals.middle),
            ("output", &residuals.output),
        ];
        let mut seen = Vec::new();
        for (part, list) in lists.into_iter().filter(|(part, _)| part.starts_with(only)) {
            for (index, residual) in list.iter().enumerate() {
                let Some(residual) = residual else { continue };
                let place = format!("{name}.{part}.{index}");
                let (shape, want) = self.golden.tensor(&place);
                let rows = shape[0];
                let residual = if residual.dims()[0] == rows {
                    residual.clone()
                } else {
                    residual.clone().repeat_dim(0, rows)
                };
                assert_eq!(residual.dims().to_vec(), shape, "{place}");
                let difference = relative_l2(&values(residual).unwrap(), &want);
                assert!(
                    difference <= TOLERANCE,
                    "{place} differs by {difference:.1e}"
                );
                seen.push(place);
            }
        }
        let prefix = format!("{name}.{only}");
        let all = self.golden.names();
        let missed: Vec<_> = all
            .iter()
            .filter(|place| place.starts_with(&prefix) && !seen.contains(place))
            .collect();
        assert!(missed.is_empty() && !seen.is_empty(), "missed {missed:?}");
    }

    /// The recorded call of the whole network with a hook.
    fn whole(&self, hooks: NetworkHooks) -> Vec<f32> {
        let input = NetworkInput {
            x: self.tensor("x"),
            timesteps: self.tensor("timesteps"),
            context: Some(self.tensor("context")),
            label: None,
            hooks: Some(NetworkCall {
                sigma: SIGMA,
                lists: vec![1, 0],
                memory: Arc::clone(&self.memory),
                hooks,
            }),
        };
        values(self.model.network.get().unwrap().forward(input).unwrap()).unwrap()
    }

    fn check_whole(&self, name: &str, hooks: NetworkHooks) {
        let (_, want) = self.golden.tensor(name);
        let difference = relative_l2(&self.whole(hooks), &want);
        assert!(
            difference <= TOLERANCE,
            "{name} differs by {difference:.1e}"
        );
    }
}

#[test]
fn the_network_computes_what_was_recorded() {
    let device = ComputeDevice::cpu();
    let golden = golden("controlnet_sd15_tiny");
    let net = open_control_net(&checkpoint("controlnet_sd15_tiny"), None, &device).unwrap();
    let bench = Bench::new();
    let network = net.network(&bench.model).unwrap().get().unwrap();
    assert_eq!(network.picture_size([8, 9]), [64, 72]);
    let read = network
        .read(recorded(&golden, "cn.in.hint", &device), None)
        .unwrap();
    let input = NetworkInput {
        x: recorded(&golden, "cn.in.x", &device),
        timesteps: recorded(&golden, "cn.in.timesteps", &device),
        context: Some(recorded(&golden, "cn.in.context", &device)),
        label: None,
        hooks: None,
    };
    let residuals = network.residuals(read, None, input).unwrap();
    let bench = Bench { golden, ..bench };
    assert_eq!((residuals.middle.len(), residuals.output.len()), (1, 12));
    // One more tensor stands beside the recorded lists.
    for part in ["middle", "output"] {
        bench.check_part("cn.out", part, &residuals);
    }
}

#[test]
fn adapters_and_chains_equal_the_recordings() {
    let bench = Bench::new();
    let (noisy, pictures) = (|| bench.tensor("noisy"), bench.pictures(3));
    let adapter = || Control::new(bench.net("t2i_sd15_tiny"), pictures.clone(), 0.6);
    let input = || bench.input(noisy(), "four");
    bench.check("t2i_full", &bench.residuals(adapter(), input()).unwrap());

    let net = bench.net("controlnet_sd15_tiny");
    let after = |net: &ControlNet, strength| {
        Control::new(net.clone(), pictures.clone(), strength).after(Some(Arc::new(adapter())))
    };
    bench.check(
        "chain",
        &bench.residuals(after(&net, 0.7), input()).unwrap(),
    );

    let mut fading = net.clone();
    fading.fading = Fading::ByDepth;
    bench.check(
        "fading",
        &bench.residuals(after(&fading, 0.8), input()).unwrap(),
    );
    let mut averaged = net;
    averaged.is_averaged = true;
    let control = Control::new(averaged, pictures.clone(), 1.5);
    bench.check("averaged", &bench.residuals(control, input()).unwrap());

    let mut fading = bench.net("t2i_sd15_tiny");
    fading.fading = Fading::ByDepth;
    let control = Control::new(fading, pictures.clone(), 0.8);
    bench.check("fading_t2i", &bench.residuals(control, input()).unwrap());

    let coarse = Control::new(bench.net("t2i_sdxl_tiny"), bench.pictures(1), 0.9);
    bench.check("t2i_coarse", &bench.residuals(coarse, input()).unwrap());

    // Outside of its range only what comes before it counts.
    let late = after(&bench.net("controlnet_sd15_tiny"), 0.7).with_range(ProgressRange {
        start: 0.9,
        end: 1.0,
    });
    bench.check("t2i_full", &bench.residuals(late, input()).unwrap());
}

#[test]
fn light_adapters_read_grey_pictures() {
    let bench = Bench::new();
    let net = bench.net("t2i_light_tiny");
    let network = net.network(&bench.model).unwrap().get().unwrap();
    let pictures = bench.pictures(1).narrow(2, 0, 40).narrow(3, 0, 56);
    let read = network.read(pictures, None).unwrap();
    let input = bench.input(bench.tensor("noisy"), "four");
    let residuals = network.residuals(read, None, input).unwrap();
    bench.check("t2i_light", &residuals);
    let error = network.read(bench.pictures(1), None).unwrap_err();
    assert!(error.to_string().contains("multiples of 8"), "{error}");
}

#[test]
fn unions_are_told_what_pictures_show() {
    let bench = Bench::new();
    let noisy: Tensor<4> = bench.tensor("noisy");
    let noisy = noisy.narrow(0, 0, 2).narrow(2, 0, 4).narrow(3, 0, 5);
    let residuals = |task| {
        let mut net = bench.net("controlnet_union_tiny");
        net.task = task;
        let input = NetworkInput {
            label: Some(bench.tensor("label")),
            ..bench.input(noisy.clone(), "short")
        };
        bench.residuals(Control::new(net, bench.pictures(2), 1.0), input)
    };
    bench.check("union_None", &residuals(None).unwrap());
    bench.check("union_3", &residuals(Some(3)).unwrap());
    let error = residuals(Some(7)).unwrap_err().to_string();
    assert!(error.contains("6 kinds"), "{error}");
}

#[test]
fn a_control_lora_is_made_of_the_model() {
    let bench = Bench::new();
    let net = bench.net("control_lora_tiny");
    let control = || Control::new(net.clone(), bench.pictures(1), 1.0);
    let input = || bench.input(bench.tensor("noisy"), "four");
    bench.check("lora", &bench.residuals(control(), input()).unwrap());
    let first = net.network(&bench.model).unwrap();
    assert!(net.network(&bench.model).unwrap().is(&first));
}

#[test]
fn a_network_is_steered_and_told() {
    let bench = Bench::new();
    bench.check_whole("unet.plain", NetworkHooks::default());
    for (name, file) in [
        ("unet.control", "controlnet_sd15_tiny"),
        ("unet.t2i", "t2i_sd15_tiny"),
    ] {
        let control = Control::new(bench.net(file), bench.pictures(1), 1.0);
        let input = bench.input(bench.tensor("x"), "context");
        let residuals = bench.residuals(control, input).unwrap();
        let hook: Arc<dyn NetworkHook> = Arc::new(Steered { residuals });
        bench.check_whole(name, NetworkHooks::default().with_first(hook));
    }
    let gligen = open_gligen(&checkpoint("gligen_tiny"), &bench.device).unwrap();
    let thing = |index: usize, [height, width, top, left]: [usize; 4]| Grounding {
        text: bench.tensor(&format!("thing.{index}")),
        height,
        width,
        top,
        left,
    };
    let things = [thing(0, [3, 5, 1, 2]), thing(1, [8, 4, 0, 4])];
    let told = |things: &[Grounding]| Grounded::new(gligen.get().unwrap(), things, [8, 8]);
    let hook = Arc::new(told(&things).unwrap());
    bench.check_whole("unet.gligen", NetworkHooks::default().with(hook));
    let file = comfy_fixtures::path("control/tiny.pt");
    let hook = Hypernetworking {
        network: open_hypernetwork(&file, &bench.device).unwrap(),
        strength: 0.7,
    };
    bench.check_whole(
        "unet.hypernetwork",
        NetworkHooks::default().with(Arc::new(hook)),
    );
    let error = told(&vec![thing(0, [1; 4]); 31]).unwrap_err().to_string();
    assert!(error.contains("30 things"), "{error}");
}

/// What guidance sees of the two lists at a noise level.
fn check_lists(
    bench: &Bench,
    name: &str,
    positive: Vec<Conditioning>,
    negative: Vec<Conditioning>,
) {
    let x: Tensor<4> = bench.tensor("x");
    let guidance = ClassifierFree {
        positive,
        negative,
        scale: 1.0,
    };
    let network = bench.model.network.get().unwrap();
    let memory = Arc::clone(&bench.memory);
    let fit = Fit {
        model: &bench.model,
        sampled: Sampled {
            latent: &x,
            mask: None,
        },
        seed: 0,
    };
    let networks = Networks::new(&bench.model, network, &[SIGMA]);
    let mut model = GuidedModel::new(networks, &guidance, memory, fit).unwrap();
    let found = model
        .denoise_both(&x.clone().mul_scalar(3.0), SIGMA)
        .unwrap();
    for (role, x0) in [("positive", found.x0), ("negative", found.negative)] {
        let (_, want) = bench.golden.tensor(&format!("{name}.{role}"));
        let difference = relative_l2(&values(x0).unwrap(), &want);
        assert!(
            difference <= TOLERANCE,
            "{name}.{role} differs by {difference:.1e}"
        );
    }
}

#[test]
fn lists_with_areas_are_steered_as_recorded() {
    let bench = Bench::new();
    let text = |index: usize| Conditioning::new(bench.tensor(&format!("text.{index}")), None);
    let limited = |condition: Conditioning| Conditioning {
        area: Some(Area::Cells(Cells {
            height: 4,
            width: 5,
            top: 2,
            left: 3,
        })),
        strength: 0.8,
        ..condition
    };
    let shown = |file: &str, strength, count| {
        Control::new(bench.net(file), bench.pictures(count), strength)
    };
    let under = |condition: Conditioning, control: Control| Conditioning {
        control: Some(Arc::new(control)),
        ..condition
    };
    let net = "controlnet_sd15_tiny";
    let positive = vec![
        under(text(0), shown(net, 0.7, 3).covering_negative()),
        under(limited(text(1)), shown("t2i_sd15_tiny", 0.5, 2)),
    ];
    check_lists(&bench, "batch.control", positive, vec![text(2)]);

    let network = open_gligen(&checkpoint("gligen_tiny"), &bench.device).unwrap();
    let thing = |index: usize, height, width, top, left| Grounding {
        text: bench.tensor(&format!("thing.{index}")),
        height,
        width,
        top,
        left,
    };
    let things = vec![thing(0, 3, 5, 1, 2), thing(1, 8, 4, 0, 4)];
    let told = |condition: Conditioning| Conditioning {
        grounding: Some(GroundedThings {
            network: network.clone(),
            things: things.clone(),
        }),
        ..condition
    };
    let positive = vec![
        told(text(0)),
        told(under(limited(text(1)), shown(net, 0.5, 1))),
    ];
    let negative = vec![text(2), limited(text(0))];
    check_lists(&bench, "batch.gligen", positive, negative);
}

#[test]
fn residuals_of_another_size_are_left_out() {
    let bench = Bench::new();
    let plain = bench.whole(NetworkHooks::default());
    let residuals = Residuals {
        output: vec![Some(Tensor::ones(
            [1, 7, 3, 3],
            bench.device.tensor_device(),
        ))],
        ..Residuals::default()
    };
    let hook = Arc::new(Steered { residuals });
    let steered = bench.whole(NetworkHooks::default().with_first(hook));
    assert!(relative_l2(&steered, &plain) < 1e-6);
}

#[test]
fn pictures_and_texts_that_do_not_fit_are_errors() {
    let bench = Bench::new();
    let net = bench.net("controlnet_sd15_tiny");
    let grey = bench.pictures(1).narrow(1, 0, 1);
    let input = || bench.input(bench.tensor("noisy"), "four");
    let error = bench
        .residuals(Control::new(net.clone(), grey, 1.0), input())
        .unwrap_err();
    assert!(error.to_string().contains("3 channels"), "{error}");
    let control = Control::new(net, bench.pictures(1), 1.0);
    let input = bench.input(bench.tensor("noisy"), "short");
    let error = bench.residuals(control, input).unwrap_err();
    assert!(error.to_string().contains("encoded text"), "{error}");
}
