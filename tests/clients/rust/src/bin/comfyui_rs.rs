//! comfyui-rs against a server: `comfyui_rs URL PROMPT.json PICTURE.png`.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use comfyui_rs::{ComfyClient, GenerationOutcome};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let client = ComfyClient::new(arguments.next().context("no address")?).with_client_id("from-rust");
    let prompt = std::fs::read_to_string(arguments.next().context("no prompt")?)?;
    let mut prompt: Value = serde_json::from_str(&prompt)?;
    let picture = std::fs::read(arguments.next().context("no picture")?)?;

    ensure!(client.health().await?);
    ensure!(client.checkpoints().await? == ["sd15_tiny.safetensors"]);
    ensure!(client.samplers().await?.contains(&"euler".to_owned()));
    ensure!(client.schedulers().await?.contains(&"normal".to_owned()));
    ensure!(client.upload_image(&picture, "other.png", true).await? == "other.png");

    // Its socket opens after the prompt was sent.
    prompt["3"]["inputs"]["steps"] = json!(30);
    let id = client.queue_prompt(&prompt).await?;
    let mut steps = 0;
    let outcome = client.wait_for_completion_ws(&id, PATIENCE, |_| steps += 1).await?;
    let GenerationOutcome::Completed { images } = outcome else {
        anyhow::bail!("{outcome:?}");
    };
    ensure!(steps > 0 && images.len() == 1, "{steps} steps, {images:?}");
    ensure!(client.image(&images[0]).await?.starts_with(b"\x89PNG"));

    prompt["3"]["inputs"]["steps"] = json!(2);
    let id = client.queue_prompt(&prompt).await?;
    let outcome = client.wait_for_completion(&id, PATIENCE).await?;
    ensure!(matches!(outcome, GenerationOutcome::Completed { .. }), "{outcome:?}");
    ensure!(client.history(&id).await?.is_some_and(|entry| entry.completed));
    ensure!(client.queue_status().await?.running == 0);
    client.free_memory(true).await?;
    client.interrupt().await?;
    prompt["3"]["inputs"]["steps"] = json!(0);
    ensure!(client.queue_prompt(&prompt).await.is_err());
    println!("comfyui-rs works");
    Ok(())
}
