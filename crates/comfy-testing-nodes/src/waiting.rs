//! Nodes that wait, most of them without holding up others.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use comfy_graph::{Later, Node, NodeContext, NodeError, NodeSpec, UniqueId, Value};
use comfy_nodes::sockets::Image;
use tokio::sync::Semaphore;

use crate::MODULE;
use crate::pictures::{inverted, joined, split};

/// How often a node that waits tells how far it is.
const TICK: Duration = Duration::from_millis(10);

fn seconds(seconds: f64) -> Result<Duration, NodeError> {
    Duration::try_from_secs_f64(seconds).map_err(|error| {
        NodeError::value(format_args!(
            "expected a number of seconds, got {seconds}: {error}"
        ))
    })
}

/// Passes a value on after some seconds.
#[derive(Debug, NodeSpec)]
#[node(id = "TestSleep", name = "Test Sleep", category = "_for_testing", module = MODULE)]
pub struct Sleep {
    /// The value.
    value: Value,
    /// How many seconds.
    #[input(default = 1.0, min = 0.0, max = 9999.0, step = 0.01)]
    seconds: f64,
    unique_id: UniqueId,
}

impl Node for Sleep {
    type Output = Later<Value>;

    fn run(self, context: &mut NodeContext<'_>) -> Result<Later<Value>, NodeError> {
        let _ = self.unique_id;
        let wait = seconds(self.seconds)?;
        let mut context = context.detach();
        Ok(Later::new(async move {
            let start = Instant::now();
            while start.elapsed() < wait {
                let passed = start.elapsed().as_secs_f64();
                context.progress_amount(passed.min(self.seconds), self.seconds)?;
                tokio::time::sleep(TICK).await;
            }
            Ok(self.value)
        }))
    }
}

/// Fails after some seconds.
#[derive(Debug, NodeSpec)]
#[node(id = "TestAsyncError", name = "Test Async Error", category = "_for_testing/async", module = MODULE)]
pub struct AsyncError {
    /// Anything.
    value: Value,
    /// How many seconds.
    #[input(default = 0.1, min = 0.0, max = 10.0)]
    error_after: f64,
}

impl Node for AsyncError {
    type Output = Later<Value>;

    fn run(self, _: &mut NodeContext<'_>) -> Result<Later<Value>, NodeError> {
        let _ = self.value;
        let wait = seconds(self.error_after)?;
        Ok(Later::new(async move {
            tokio::time::sleep(wait).await;
            Err(NodeError::runtime(
                "this node fails on purpose, after a while",
            ))
        }))
    }
}

/// Fails at once.
#[derive(Debug, NodeSpec)]
#[node(id = "TestSyncError", name = "Test Sync Error", category = "_for_testing/async", module = MODULE)]
pub struct SyncError {
    /// Anything.
    value: Value,
}

impl Node for SyncError {
    type Output = Value;

    fn run(self, _: &mut NodeContext<'_>) -> Result<Value, NodeError> {
        let _ = self.value;
        Err(NodeError::runtime("this node fails on purpose, at once"))
    }
}

/// Passes a value on after some seconds, or fails when that takes too long.
#[derive(Debug, NodeSpec)]
#[node(id = "TestAsyncTimeout", name = "Test Async Timeout", category = "_for_testing/async", module = MODULE)]
pub struct AsyncTimeout {
    /// The value.
    value: Value,
    /// How many seconds it may take.
    #[input(default = 1.0, min = 0.1, max = 10.0)]
    timeout: f64,
    /// How many seconds it takes.
    #[input(default = 2.0, min = 0.1, max = 10.0)]
    operation_time: f64,
}

impl Node for AsyncTimeout {
    type Output = Later<Value>;

    fn run(self, _: &mut NodeContext<'_>) -> Result<Later<Value>, NodeError> {
        let (limit, wait) = (seconds(self.timeout)?, seconds(self.operation_time)?);
        Ok(Later::new(async move {
            let work = tokio::time::sleep(wait);
            match tokio::time::timeout(limit, work).await {
                Ok(()) => Ok(self.value),
                Err(_) => Err(NodeError::runtime(format_args!(
                    "timeout: expected an end within {} seconds",
                    self.timeout
                ))),
            }
        }))
    }
}

/// The resources that are in use.
static RESOURCES: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// A resource in use, until this is dropped.
struct Resource(String);

impl Resource {
    fn take(name: String) -> Result<Self, NodeError> {
        let mut resources = RESOURCES.lock().unwrap_or_else(PoisonError::into_inner);
        if !resources.insert(name.clone()) {
            return Err(NodeError::runtime(format_args!(
                "expected resource {name} to be free, it is in use"
            )));
        }
        Ok(Self(name))
    }
}

impl Drop for Resource {
    fn drop(&mut self) {
        RESOURCES
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.0);
    }
}

/// Uses a resource for some seconds; nobody else may use it meanwhile.
#[derive(Debug, NodeSpec)]
#[node(id = "TestAsyncResourceUser", name = "Test Async Resource User", category = "_for_testing/async", module = MODULE)]
pub struct AsyncResourceUser {
    /// Passed on.
    value: Value,
    /// The name of the resource.
    #[input(default = "resource_0")]
    resource_id: String,
    /// How many seconds.
    #[input(default = 0.1, min = 0.0, max = 1.0)]
    duration: f64,
}

impl Node for AsyncResourceUser {
    type Output = Later<Value>;

    fn run(self, _: &mut NodeContext<'_>) -> Result<Later<Value>, NodeError> {
        let wait = seconds(self.duration)?;
        Ok(Later::new(async move {
            let resource = Resource::take(self.resource_id)?;
            tokio::time::sleep(wait).await;
            drop(resource);
            Ok(self.value)
        }))
    }
}

/// Inverts pictures one by one, each after some seconds.
#[derive(Debug, NodeSpec)]
#[node(
    id = "TestAsyncBatchProcessing",
    name = "Test Async Batch Processing",
    category = "_for_testing/async",
    module = MODULE
)]
pub struct AsyncBatchProcessing {
    /// The pictures.
    images: Image,
    /// How many seconds for each.
    #[input(default = 0.1, min = 0.01, max = 1.0)]
    process_time_per_item: f64,
    unique_id: UniqueId,
}

impl Node for AsyncBatchProcessing {
    type Output = Later<Image>;

    fn run(self, context: &mut NodeContext<'_>) -> Result<Later<Image>, NodeError> {
        let _ = self.unique_id;
        let wait = seconds(self.process_time_per_item)?;
        let mut context = context.detach();
        Ok(Later::new(async move {
            let pictures = split(&self.images)?;
            let count = pictures.len() as u64;
            let mut done = Vec::new();
            for picture in pictures {
                tokio::time::sleep(wait).await;
                done.push(inverted(&picture)?);
                context.progress(done.len() as u64, count)?;
            }
            joined(&done)
        }))
    }
}

/// Those of [`AsyncConcurrentLimit`] that are at work.
static AT_WORK: Semaphore = Semaphore::const_new(2);

/// Passes a value on after some seconds; two of these nodes wait at a time.
#[derive(Debug, NodeSpec)]
#[node(
    id = "TestAsyncConcurrentLimit",
    name = "Test Async Concurrent Limit",
    category = "_for_testing/async",
    module = MODULE
)]
pub struct AsyncConcurrentLimit {
    /// The value.
    value: Value,
    /// How many seconds.
    #[input(default = 0.5, min = 0.1, max = 2.0)]
    duration: f64,
    /// Tells nodes apart that are equal otherwise.
    #[input(default = 0i64)]
    node_id: i64,
}

impl Node for AsyncConcurrentLimit {
    type Output = Later<Value>;

    fn run(self, _: &mut NodeContext<'_>) -> Result<Later<Value>, NodeError> {
        let _ = self.node_id;
        let wait = seconds(self.duration)?;
        Ok(Later::new(async move {
            let _turn = AT_WORK.acquire().await.map_err(NodeError::runtime)?;
            tokio::time::sleep(wait).await;
            Ok(self.value)
        }))
    }
}

/// Passes a value on after some seconds, and tells how far it is without holding up others.
#[derive(Debug, NodeSpec)]
#[node(
    id = "TestAsyncProgressUpdate",
    name = "Async Progress Update Test Node",
    category = "_for_testing/async",
    module = MODULE
)]
pub struct AsyncProgressUpdate {
    /// The value.
    value: Value,
    /// How many seconds.
    #[input(default = 1.0)]
    sleep_seconds: f64,
}

impl Node for AsyncProgressUpdate {
    type Output = Later<Value>;

    fn run(self, context: &mut NodeContext<'_>) -> Result<Later<Value>, NodeError> {
        let wait = seconds(self.sleep_seconds)?;
        let mut context = context.detach();
        Ok(Later::new(async move {
            let start = Instant::now();
            while start.elapsed() < wait {
                context.progress_amount(part(start, wait), 1.0)?;
                tokio::time::sleep(TICK).await;
            }
            Ok(self.value)
        }))
    }
}

/// Passes a value on after some seconds, and tells how far it is.
#[derive(Debug, NodeSpec)]
#[node(
    id = "TestSyncProgressUpdate",
    name = "Sync Progress Update Test Node",
    category = "_for_testing/async",
    module = MODULE
)]
pub struct SyncProgressUpdate {
    /// The value.
    value: Value,
    /// How many seconds.
    #[input(default = 1.0)]
    sleep_seconds: f64,
}

impl Node for SyncProgressUpdate {
    type Output = Value;

    fn run(self, context: &mut NodeContext<'_>) -> Result<Value, NodeError> {
        let wait = seconds(self.sleep_seconds)?;
        let start = Instant::now();
        while start.elapsed() < wait {
            context.progress_amount(part(start, wait), 1.0)?;
            std::thread::sleep(TICK);
        }
        Ok(self.value)
    }
}

/// How much of a wait is over, from 0 to 1.
fn part(start: Instant, wait: Duration) -> f64 {
    start.elapsed().div_duration_f64(wait).min(1.0)
}
