//! What is computed.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use serde_json::{Map, Value, json};

/// One thing that an engine can be asked for.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) title: String,
    /// As in `crates/comfy-diffusion/examples/speed.rs`, without what is asked of one call.
    pub(super) request: Value,
}

pub(super) fn of_sd15(scratch: &Path, on_card: bool) -> anyhow::Result<Vec<Work>> {
    let mut list = Vec::new();
    let (calls, batches): (&[usize], &[usize]) = if on_card {
        (&[512, 1024], &[2, 8])
    } else {
        (&[256, 512], &[2])
    };
    for &side in calls {
        for &batch in batches {
            let context = [batch, 77, 768];
            list.push(unet(scratch, "SD1.5", side, batch, &context, None)?);
        }
    }
    for &side in calls {
        let latent = inputs(scratch, &[("latent", &[1, 4, side / 8, side / 8])])?;
        list.push(work(format!("VAE decode {side}²"), "decode", latent));
    }
    for &side in calls {
        let image = inputs(scratch, &[("image", &[1, side, side, 3])])?;
        list.push(work(format!("VAE encode {side}²"), "encode", image));
    }
    list.push(work(
        "text encoder, 77 tokens".to_owned(),
        "text",
        Value::Object(Map::new()),
    ));
    Ok(list)
}

pub(super) fn of_sdxl(scratch: &Path, on_card: bool) -> anyhow::Result<Vec<Work>> {
    let side = if on_card { 1024 } else { 512 };
    let batches: &[usize] = if on_card { &[2, 8] } else { &[2] };
    let calls = batches.iter().map(|&batch| {
        unet(
            scratch,
            "SDXL",
            side,
            batch,
            &[batch, 77, 2048],
            Some(&[batch, 2816]),
        )
    });
    calls.collect()
}

fn unet(
    scratch: &Path,
    family: &str,
    side: usize,
    batch: usize,
    context: &[usize],
    label: Option<&[usize]>,
) -> anyhow::Result<Work> {
    let latent = [batch, 4, side / 8, side / 8];
    let mut shapes: Vec<(&str, &[usize])> = vec![("latent", &latent), ("context", context)];
    shapes.extend(label.map(|label| ("label", label)));
    let title = format!("{family} UNet call {side}², batch {batch}");
    Ok(work(title, "unet", inputs(scratch, &shapes)?))
}

fn work(title: String, work: &str, inputs: Value) -> Work {
    let mut request = json!({"work": work});
    request["inputs"] = inputs;
    Work { title, request }
}

/// Writes inputs that every engine reads.
fn inputs(scratch: &Path, shapes: &[(&str, &[usize])]) -> anyhow::Result<Value> {
    let mut list = Map::new();
    for (name, shape) in shapes {
        let sizes: Vec<String> = shape.iter().map(ToString::to_string).collect();
        let file = scratch.join(format!("{name}-{}.f32", sizes.join("x")));
        let values = numbers(shape.iter().product(), *name == "image");
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        std::fs::write(&file, bytes)?;
        list.insert((*name).to_owned(), json!({"file": file, "shape": shape}));
    }
    Ok(Value::Object(list))
}

/// Numbers that look random: of a normal distribution's width around 0, or of a picture's from 0 to 1.
fn numbers(count: usize, as_picture: bool) -> Vec<f32> {
    let mut state = 1_u32;
    let mut next = || {
        // Numerical Recipes' linear congruential generator.
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1_u32 << 24) as f32
    };
    let value = |_| {
        if as_picture {
            next()
        } else {
            // The sum of twelve has variance 1.
            (0..12).map(|_| next()).sum::<f32>() - 6.0
        }
    };
    (0..count).map(value).collect()
}

/// The values of a result.
pub(super) fn read(path: &PathBuf) -> anyhow::Result<Vec<f32>> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let (words, _) = bytes.as_chunks::<4>();
    Ok(words.iter().map(|word| f32::from_le_bytes(*word)).collect())
}

pub(super) fn relative_difference(got: &[f32], want: &[f32]) -> anyhow::Result<f64> {
    ensure!(
        got.len() == want.len(),
        "results have {} and {} values",
        got.len(),
        want.len()
    );
    let square = |value: f64| value * value;
    let pairs = got.iter().zip(want);
    let difference: f64 = pairs
        .map(|(got, want)| square(f64::from(*got) - f64::from(*want)))
        .sum();
    let size: f64 = want.iter().map(|want| square(f64::from(*want))).sum();
    let relative = (difference / size.max(f64::MIN_POSITIVE)).sqrt();
    ensure!(
        relative.is_finite(),
        "a result has values that are no numbers"
    );
    Ok(relative)
}
