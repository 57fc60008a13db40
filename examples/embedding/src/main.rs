//! Text to picture inside another program.
//!
//! ```sh
//! cargo run -p embedding                                      # noise-like pictures of a tiny synthetic checkpoint
//! cargo run -p embedding --release -- DIRECTORY CHECKPOINT [TEXT]   # DIRECTORY holds models/checkpoints/CHECKPOINT
//! ```

#![expect(clippy::print_stdout, reason = "it is what the example does")]

use std::path::Path;

use anyhow::Context;
use comfy_session::nodes::pictures::{Compression, encode_png};
use comfy_session::nodes::resize::bytes_from_units;
use comfy_session::nodes::sockets::Image;
use comfy_session::{Event, NodeOutput, PromptBuilder, Session, TextEvent};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let text = arguments.get(2).map_or("a photo of a cat", String::as_str);
    let (session, checkpoint, size) = match arguments.as_slice() {
        [] => {
            let session = Session::builder().start()?;
            let name = "sd15_tiny.safetensors";
            install_synthetic(
                &session
                    .folders()
                    .base_dir()
                    .join("models/checkpoints")
                    .join(name),
            )?;
            (session, name, 64)
        }
        [directory, checkpoint, ..] => (
            Session::builder().directory(directory).start()?,
            checkpoint.as_str(),
            512,
        ),
        [_] => anyhow::bail!("expected DIRECTORY CHECKPOINT [TEXT], got one argument"),
    };

    let (graph, picture) = text_to_picture(checkpoint, text, size);
    let outcome = session.run(graph.to_json()?, &[picture], report)?;

    let image: Image = outcome.value(0)?;
    let [_, height, width, channels] = image.shape();
    let pixels: Vec<u8> = bytes_from_units(&image.values()?);
    println!(
        "{width}×{height} pixels, the first is {:?}",
        &pixels[..channels]
    );
    let png = encode_png(&pixels, width, height, channels, &[], Compression::Balanced)?;
    std::fs::write("embedding.png", png).context("cannot write embedding.png")?;
    println!("written to embedding.png");
    Ok(())
}

/// The default text-to-picture graph, and the output that holds the picture.
fn text_to_picture(checkpoint: &str, text: &str, size: u32) -> (PromptBuilder, NodeOutput) {
    let mut graph = PromptBuilder::default();
    let loaded = graph
        .node("CheckpointLoaderSimple")
        .set("ckpt_name", checkpoint)
        .add();
    let [positive, negative] = [text, "blurry"].map(|text| {
        graph
            .node("CLIPTextEncode")
            .set("clip", loaded.out(1))
            .set("text", text)
            .add()
    });
    let latent = graph
        .node("EmptyLatentImage")
        .set("width", size)
        .set("height", size)
        .set("batch_size", 1)
        .add();
    let sampled = graph
        .node("KSampler")
        .set("model", loaded.out(0))
        .set("positive", positive.out(0))
        .set("negative", negative.out(0))
        .set("latent_image", latent.out(0))
        .set("seed", 42)
        .set("steps", 8)
        .set("cfg", 7.0)
        .set("sampler_name", "euler")
        .set("scheduler", "normal")
        .set("denoise", 1.0)
        .add();
    let decoded = graph
        .node("VAEDecode")
        .set("samples", sampled.out(0))
        .set("vae", loaded.out(2))
        .add();
    let picture = decoded.out(0);
    (graph, picture)
}

/// Tells people how far the graph is.
fn report(event: &Event) {
    match event {
        Event::Text(TextEvent::Executing(executing)) => {
            if let Some(node) = &executing.node {
                println!("node {node}");
            }
        }
        Event::Text(TextEvent::Progress(progress)) => {
            println!("  step {} of {}", progress.value, progress.max);
        }
        _ => {}
    }
}

/// Puts a checkpoint of random weights in place: all parts of Stable Diffusion 1.5 in small.
fn install_synthetic(path: &Path) -> anyhow::Result<()> {
    let made = comfy_fixtures::checkpoint("sd15_tiny");
    std::fs::copy(made, path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(())
}
