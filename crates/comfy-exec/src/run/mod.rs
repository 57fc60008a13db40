//! Runs one prompt from beginning to end.

use std::cell::RefCell;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use comfy_api::events::{ExecutionError, ExecutionInterrupted, ExecutionSuccess, TextEvent};
use comfy_api::history::{ExecutionStatus, HistoryEntry, NodeMeta, StatusText};
use comfy_api::queue::FreeRequest;
use comfy_graph::order::{DependencyCycle, PendingGraph};
use comfy_graph::signature::{Signature, signatures};
use comfy_graph::{Constants, Host, Json, NodeClass, Preview, Prompt, python_json};
use indexmap::IndexMap;
use serde_json::Map;

use crate::CachePolicy;
use crate::arguments::{Arguments, HiddenValues};
use crate::cache::{Instance, InstanceCache, NodeResult, ResultCache};
use crate::call::Call;
use crate::consumers::Consumers;
use crate::engine::{Finished, Shared};
use crate::failure::{Failure, NodeFailure};
use crate::pending::Job;
use crate::reporter::{Reporter, now};

/// What lives from prompt to prompt.
pub(crate) struct Memory {
    pub(crate) results: ResultCache<Signature>,
    pub(crate) instances: InstanceCache,
}

/// Runs a prompt. Its last event is left to the caller, who publishes it when the history has the entry.
pub(crate) fn run(
    shared: &Shared,
    memory: &mut Memory,
    job: &Job,
    interrupt: &AtomicBool,
) -> Finished {
    let reporter = Reporter::new(shared, &job.row.prompt_id, job.client_id.as_deref());
    reporter.prompt_started();

    let mut prompt = Prompt::from_json(&job.prompt).expect("validation accepted the prompt");
    let prompt_json = match add_fingerprints(shared, &mut prompt) {
        0 => Arc::clone(&job.prompt),
        _ => Arc::new(prompt.to_json()),
    };
    let extra_pnginfo = Arc::new(
        job.extra_data
            .get("extra_pnginfo")
            .cloned()
            .unwrap_or_default(),
    );
    let signatures = signatures(&prompt, &shared.options.registry);
    let Memory { results, instances } = memory;
    results.begin(signatures.values());
    instances.begin(
        shared.options.cache,
        prompt
            .nodes
            .iter()
            .map(|(id, node)| (id.as_str(), node.class_type.as_str())),
    );
    reporter.nodes_cached(
        prompt
            .nodes
            .keys()
            .filter(|id| results.get(&signatures[*id]).is_some())
            .cloned()
            .collect(),
    );

    let mut run = Run {
        shared,
        job,
        interrupt,
        reporter: &reporter,
        prompt: &prompt,
        prompt_json: &prompt_json,
        extra_pnginfo: &extra_pnginfo,
        signatures: &signatures,
        results,
        instances: RefCell::new(instances),
        executed: Vec::new(),
        shown: HashMap::new(),
    };
    let outcome = run.all();
    let completed = outcome.is_ok();
    let last_event = match outcome {
        Ok(()) => TextEvent::ExecutionSuccess(ExecutionSuccess {
            prompt_id: job.row.prompt_id.clone(),
            timestamp: now(),
        }),
        Err(stop) => run.stopped(stop),
    };
    let (outputs, meta) = run.show();
    results.end();

    Finished {
        client_id: job.client_id.clone(),
        last_audience: reporter.audience_of(&last_event),
        entry: HistoryEntry {
            prompt: job.row.clone(),
            outputs,
            status: ExecutionStatus {
                status_str: if completed {
                    StatusText::Success
                } else {
                    StatusText::Error
                },
                completed,
                messages: reporter.into_messages(&last_event),
            },
            meta,
        },
        last_event,
    }
}

/// Asks the classes that have one for the fingerprints of their nodes, unless the prompt brought them, and writes these into
/// the prompt. Returns how many were written.
fn add_fingerprints(shared: &Shared, prompt: &mut Prompt) -> usize {
    let options = &shared.options;
    let mut written = 0;
    for (id, node) in &mut prompt.nodes {
        let Some(class) = options
            .registry
            .get(&node.class_type)
            .filter(|class| class.has_fingerprint())
        else {
            continue;
        };
        if node.is_changed.is_some() {
            continue;
        }
        let ask = || class.fingerprint(&Constants::new(&node.inputs), &options.services);
        let found = match catch_unwind(AssertUnwindSafe(ask)) {
            Ok(Ok(fingerprint)) => Json::Array(vec![fingerprint]),
            Ok(Err(error)) => {
                tracing::warn!(node = %id, class = class.id(), %error, "a node has no fingerprint and will run");
                python_json::nan()
            }
            Err(_) => {
                tracing::warn!(node = %id, class = class.id(), "a node panicked over its fingerprint and will run");
                python_json::nan()
            }
        };
        node.is_changed = Some(found);
        written += 1;
    }
    written
}

/// Why a prompt ended early.
struct Stop {
    node_id: String,
    failure: Failure,
    /// The inputs of the node, for clients.
    inputs: Map<String, Json>,
}

/// Nodes that wait for each other. Validation refuses such prompts.
fn going_round(cycle: DependencyCycle) -> Stop {
    let failure = NodeFailure::new("graph.DependencyCycleError", cycle.to_string());
    Stop {
        node_id: cycle.nodes.into_iter().next().unwrap_or_default(),
        failure: Failure::Failed(failure),
        inputs: Map::new(),
    }
}

/// One prompt on its way through the worker.
struct Run<'a> {
    shared: &'a Shared,
    job: &'a Job,
    interrupt: &'a AtomicBool,
    reporter: &'a Reporter<'a>,
    prompt: &'a Prompt,
    /// The prompt with fingerprints, as nodes see it.
    prompt_json: &'a Arc<Json>,
    extra_pnginfo: &'a Arc<Json>,
    signatures: &'a HashMap<String, Signature>,
    results: &'a mut ResultCache<Signature>,
    instances: RefCell<&'a mut InstanceCache>,
    /// Nodes that ran in this prompt, in order.
    executed: Vec<String>,
    /// What nodes of this prompt show, also when their results have been freed.
    shown: HashMap<String, Json>,
}

impl<'a> Run<'a> {
    /// Computes every output of the job.
    fn all(&mut self) -> Result<(), Stop> {
        let mut pending = PendingGraph::new(self.prompt, &self.shared.options.registry);
        for output in &self.job.row.outputs_to_execute {
            pending.add(output, |id: &str| self.result_of(id).is_some());
        }
        let mut consumers = match self.shared.options.cache {
            CachePolicy::None => Consumers::new(self.prompt, self.signatures, pending.nodes()),
            _ => Consumers::new(self.prompt, self.signatures, std::iter::empty()),
        };
        while let Some(node_id) = pending.pick().map_err(going_round)? {
            self.node(node_id)?;
            pending.complete(node_id);
            for signature in consumers.complete(node_id) {
                self.results.release(signature);
            }
        }
        Ok(())
    }

    fn result_of(&self, node_id: &str) -> Option<Arc<NodeResult>> {
        self.results.get(self.signatures.get(node_id)?)
    }

    /// Runs a node, or finds its result.
    fn node(&mut self, node_id: &'a str) -> Result<(), Stop> {
        if let Some(result) = self.result_of(node_id) {
            self.reporter.node_shows(node_id, result.shown.clone());
            self.keep_shown(node_id, &result);
            self.reporter.node_finished(node_id);
            return Ok(());
        }
        let result = Arc::new(self.compute(node_id)?);
        if let Some(shown) = &result.shown {
            self.reporter.node_shows(node_id, Some(shown.clone()));
        }
        self.keep_shown(node_id, &result);
        self.results.insert(self.signatures[node_id], result);
        self.reporter.node_finished(node_id);
        self.executed.push(node_id.to_owned());
        Ok(())
    }

    fn keep_shown(&mut self, node_id: &str, result: &NodeResult) {
        if let Some(shown) = &result.shown {
            self.shown.insert(node_id.to_owned(), shown.clone());
        }
    }

    fn class_of(&self, node_id: &str) -> &'a NodeClass {
        let class = &self.prompt.nodes[node_id].class_type;
        self.shared
            .options
            .registry
            .get(class)
            .expect("validation looked the class up")
    }

    fn compute(&self, node_id: &str) -> Result<NodeResult, Stop> {
        let class = self.class_of(node_id);
        let stop = |failure, inputs| Stop {
            node_id: node_id.to_owned(),
            failure,
            inputs,
        };

        self.reporter.node_staged(node_id);
        let hidden = HiddenValues {
            node_id,
            prompt: self.prompt_json,
            extra_pnginfo: self.extra_pnginfo,
            extra_data: &self.job.extra_data,
        };
        let arguments = Arguments::gather(
            class,
            &self.prompt.nodes[node_id],
            |id| self.result_of(id),
            hidden,
        )
        .map_err(|failure| stop(Failure::Failed(failure), Map::new()))?;
        self.reporter.node_started(node_id);
        let call = Call {
            node_id,
            class,
            prompt: self.prompt_json,
            extra_pnginfo: self.extra_pnginfo,
            services: &self.shared.options.services,
            host: &NodeHost {
                run: self,
                node_id,
                class,
            },
        };
        call.run(&arguments).map_err(|failure| {
            // An interrupted node is not to blame, so nobody looks at its inputs.
            let inputs = if failure == Failure::Interrupted {
                Map::new()
            } else {
                arguments.describe()
            };
            stop(failure, inputs)
        })
    }

    /// The event that tells why the prompt ended early.
    fn stopped(&self, stop: Stop) -> TextEvent {
        let Stop {
            node_id,
            failure,
            inputs,
        } = stop;
        let class = self.class_of(&node_id);
        let prompt_id = self.job.row.prompt_id.clone();
        let (node_type, executed, timestamp) =
            (class.id().to_owned(), self.executed.clone(), now());
        match failure {
            Failure::Interrupted => {
                tracing::info!(prompt = %prompt_id, node = %node_id, "interrupted");
                TextEvent::ExecutionInterrupted(ExecutionInterrupted {
                    prompt_id,
                    node_id,
                    node_type,
                    executed,
                    timestamp,
                })
            }
            Failure::Failed(failure) => {
                tracing::error!(prompt = %prompt_id, node = %node_id, class = %node_type, kind = %failure.kind, "{}", failure.message);
                if failure.out_of_memory {
                    self.shared.free_models(FreeRequest {
                        unload_models: true,
                        free_memory: false,
                    });
                }
                TextEvent::ExecutionError(ExecutionError {
                    exception_message: failure.exception_message(),
                    traceback: failure.traceback(&node_id, class),
                    exception_type: failure.kind,
                    prompt_id,
                    node_id,
                    node_type,
                    executed,
                    current_inputs: inputs,
                    current_outputs: self.prompt.nodes.keys().cloned().collect(),
                    timestamp,
                })
            }
        }
    }

    /// What the nodes of the prompt show, in the order of the prompt, with results of earlier prompts.
    fn show(&mut self) -> (IndexMap<String, Json>, IndexMap<String, NodeMeta>) {
        let mut outputs = IndexMap::new();
        let mut meta = IndexMap::new();
        for id in self.prompt.nodes.keys() {
            let own = self.shown.remove(id);
            let Some(shown) = own.or_else(|| self.result_of(id)?.shown.clone()) else {
                continue;
            };
            outputs.insert(id.clone(), shown);
            let own = NodeMeta {
                node_id: id.clone(),
                display_node: id.clone(),
                parent_node: None,
                real_node_id: id.clone(),
            };
            meta.insert(id.clone(), own);
        }
        (outputs, meta)
    }
}

/// The engine, as the running node sees it.
struct NodeHost<'a, 'b> {
    run: &'a Run<'b>,
    node_id: &'a str,
    class: &'a NodeClass,
}

impl Host for NodeHost<'_, '_> {
    fn progress(&self, value: u64, max: u64, preview: Option<Preview>) {
        self.run
            .reporter
            .node_progress(self.node_id, value, max, preview);
    }

    fn interrupted(&self) -> bool {
        self.run.interrupt.load(Ordering::Relaxed)
    }

    fn instance(&self, make: &mut dyn FnMut() -> Instance) -> Instance {
        self.run
            .instances
            .borrow_mut()
            .get_or_make(self.node_id, self.class.id(), make)
    }

    fn extra_data(&self, key: &str) -> Option<&Json> {
        self.run.job.extra_data.get(key)
    }
}
