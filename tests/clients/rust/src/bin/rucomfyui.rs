//! rucomfyui against a server: `rucomfyui URL PROMPT.json`. Its types are strict, so whatever it reads is checked.

use anyhow::{Context, Result, bail, ensure};
use futures_util::StreamExt;
use rucomfyui::error::ValidationError;
use rucomfyui::models::ModelCategory;
use rucomfyui::upload::UploadType;
use rucomfyui::{Client, ClientError, Event, Workflow};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let client = Client::new(arguments.next().context("no address")?);
    let prompt = std::fs::read_to_string(arguments.next().context("no prompt")?)?;
    let prompt: Value = serde_json::from_str(&prompt)?;

    everything_can_be_read(&client).await?;
    a_picture_is_made(&client, &prompt).await?;
    a_queue_is_read_and_cleared(&client, &prompt).await?;
    refusals_have_types(&client, &prompt).await?;
    failures_are_told(&client).await?;
    println!("rucomfyui works");
    Ok(())
}

fn workflow(prompt: &Value) -> Result<Workflow> {
    Ok(Workflow::from_json(&prompt.to_string())?)
}

async fn everything_can_be_read(client: &Client) -> Result<()> {
    let stats = client.system_stats().await?;
    ensure!(!stats.devices.is_empty() && stats.system.ram_total > 0);
    let classes = client.get_object_info().await?;
    ensure!(classes.len() > 50, "{} classes", classes.len());
    for object in classes.values() {
        let mut inputs = 0;
        for (name, input, _) in object.all_inputs() {
            ensure!(!name.is_empty());
            let _ = (input.as_input_type(), input.as_meta_typed(), input.tooltip());
            inputs += 1;
        }
        ensure!(object.display_name() != "" && inputs < 1000);
        ensure!(object.processed_output().count() == object.output.len());
    }
    let sampler = client.get_object_for_name("KSampler").await?;
    ensure!(sampler.required_inputs().count() == 10);
    match client.get_object_for_name("NoSuchClass").await {
        Err(ClientError::ObjectNotFoundInInfo { name }) => ensure!(name == "NoSuchClass"),
        other => bail!("an unknown class: {other:?}"),
    }
    let categories = client.get_model_categories().await?;
    ensure!(categories.contains(&ModelCategory::Checkpoints));
    for category in categories {
        client.get_models(category).await?;
    }
    let checkpoints = client.get_models(ModelCategory::Checkpoints).await?;
    ensure!(checkpoints == ["sd15_tiny.safetensors"], "{checkpoints:?}");
    Ok(())
}

async fn a_picture_is_made(client: &Client, prompt: &Value) -> Result<()> {
    let mut execution = client.execute(&workflow(prompt)?).await?;
    let id = execution.prompt_id().to_owned();
    let (mut images, mut steps, mut previews, mut completed) = (0, 0, 0, false);
    while let Some(event) = execution.next().await {
        match event? {
            Event::Progress { .. } => steps += 1,
            Event::Preview { image, .. } => {
                ensure!(!image.data.is_empty());
                previews += 1;
            }
            Event::Executed { output, .. } => {
                for image in &output.images {
                    ensure!(image.starts_with(b"\x89PNG"));
                    images += 1;
                }
            }
            Event::Error { message, .. } => bail!("{message}"),
            Event::Completed { prompt_id } => {
                ensure!(prompt_id == id);
                completed = true;
            }
            _ => {}
        }
    }
    // This client asks for previews with each prompt.
    ensure!(completed && images == 1 && steps >= 2 && previews >= 1, "{completed} {images} {steps} {previews}");
    let history = client.get_history_for_prompt(&id).await?;
    let entry = history.data.get(&id).context("no history")?;
    ensure!(entry.status.completed && entry.status.status_str == "success");
    ensure!(client.get_history(10).await?.data.contains_key(&id));
    client.delete_from_history(vec![id.clone()]).await?;
    ensure!(!client.get_history(10).await?.data.contains_key(&id));

    let uploaded = client
        .upload_image("rust.png", std::fs::read(std::env::args().nth(3).context("no picture")?)?, UploadType::Input, true)
        .await?;
    ensure!(uploaded.name == "rust.png");
    let copy = json!({
        "1": {"class_type": "LoadImage", "inputs": {"image": "rust.png"}},
        "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
    });
    let outputs = client.execute(&workflow(&copy)?).await?.outputs().await?;
    ensure!(outputs.values().map(|output| output.images.len()).sum::<usize>() == 1);
    client.free(true, true).await?;
    client.clear_history().await?;
    Ok(())
}

async fn a_queue_is_read_and_cleared(client: &Client, prompt: &Value) -> Result<()> {
    let mut long = prompt.clone();
    long["3"]["inputs"]["steps"] = json!(2000);
    let first = client.queue_prompt(&workflow(&long)?).await?;
    long["3"]["inputs"]["seed"] = json!(2);
    let second = client.queue_prompt(&workflow(&long)?).await?;
    long["3"]["inputs"]["seed"] = json!(3);
    client.queue_prompt(&workflow(&long)?).await?;
    ensure!(second.number > first.number);
    while client.get_queue().await?.running.is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let queue = client.get_queue().await?;
    ensure!(queue.running[0].prompt_id == first.prompt_id);
    ensure!(queue.pending.len() == 2 && queue.pending[0].prompt_id == second.prompt_id);
    client.delete_from_queue(vec![second.prompt_id]).await?;
    ensure!(client.get_queue().await?.pending.len() == 1);
    client.clear_queue().await?;
    client.interrupt().await?;
    while !client.get_queue().await?.running.is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Every kind of error in a prompt is one that the client knows, in the shape that it wants.
async fn refusals_have_types(client: &Client, prompt: &Value) -> Result<()> {
    let cases: [(&str, Value, fn(&ValidationError) -> bool); 9] = [
        ("/3/inputs/steps", json!(0), |error| matches!(error, ValidationError::ValueSmallerThanMin { .. })),
        ("/3/inputs/steps", json!(1_000_000), |error| matches!(error, ValidationError::ValueBiggerThanMax { .. })),
        ("/3/inputs/steps", json!("many"), |error| matches!(error, ValidationError::InvalidInputType { .. })),
        ("/3/inputs/sampler_name", json!("none"), |error| matches!(error, ValidationError::ValueNotInList { .. })),
        ("/4/inputs/ckpt_name", json!("none"), |error| matches!(error, ValidationError::ValueNotInList { .. })),
        ("/3/inputs/model", json!(["4", 1]), |error| matches!(error, ValidationError::ReturnTypeMismatch { .. })),
        ("/3/inputs/model", json!([1, 2, 3]), |error| matches!(error, ValidationError::BadLinkedInput { .. })),
        ("/8/inputs/samples", json!(["77", 0]), |error| {
            matches!(error, ValidationError::ExceptionDuringInnerValidation { .. })
        }),
        ("/3/inputs/cfg", Value::Null, |error| {
            matches!(error, ValidationError::RequiredInputMissing { .. } | ValidationError::InvalidInputType { .. })
        }),
    ];
    for (place, value, is_right) in cases {
        let mut wrong = prompt.clone();
        *wrong.pointer_mut(place).context("no such input")? = value;
        let answer = client.post_json::<_, Value>("prompt", &json!({"prompt": wrong})).await;
        let Err(ClientError::Validation { error, node_errors }) = answer else {
            bail!("{place}: {answer:?}");
        };
        ensure!(matches!(*error, ValidationError::PromptOutputsFailedValidation { .. }), "{place}: {error:?}");
        let node_errors = node_errors.context("no node errors")?;
        let mut errors = node_errors.values().flat_map(|node| &node.errors);
        ensure!(errors.any(is_right), "{place}: {node_errors:?}");
    }
    let answer = client.post_json::<_, Value>("prompt", &json!({"prompt": {}})).await;
    ensure!(
        matches!(&answer, Err(ClientError::Validation { error, .. }) if matches!(**error, ValidationError::PromptNoOutputs)),
        "{answer:?}"
    );
    Ok(())
}

async fn failures_are_told(client: &Client) -> Result<()> {
    // Nothing is wrong with it until it runs: its size does not fit the picture.
    let failing = json!({
        "1": {"class_type": "EmptyImage", "inputs": {"width": 8, "height": 8, "batch_size": 1, "color": 0}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "../../outside"}},
    });
    match client.execute(&workflow(&failing)?).await?.outputs().await {
        Err(ClientError::Execution { message, .. }) => ensure!(!message.is_empty()),
        other => bail!("a failing prompt: {other:?}"),
    }
    Ok(())
}
