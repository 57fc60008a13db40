//! Prompts that wait, in the order in which they will run.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use comfy_api::queue::QueueTuple;
use serde_json::{Map, Number, Value};

/// A validated prompt on its way through the queue.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// What clients see of it.
    pub(crate) row: QueueTuple,
    /// The prompt as it runs; another copy than the row's only where standard JSON cannot write it.
    pub(crate) prompt: Arc<Value>,
    /// What the client sent along, credentials included.
    pub(crate) extra_data: Arc<Map<String, Value>>,
    /// Who gets its events.
    pub(crate) client_id: Option<String>,
    /// When it was submitted, in milliseconds since 1970.
    pub(crate) created: u64,
    /// It does not begin before this.
    pub(crate) not_before: Instant,
}

/// The priority of a job: the lower number first, then the smaller id, then the older job.
#[derive(Clone, Debug)]
struct Priority {
    number: f64,
    prompt_id: String,
    arrival: u64,
}

impl Ord for Priority {
    fn cmp(&self, other: &Self) -> Ordering {
        self.number
            .total_cmp(&other.number)
            .then_with(|| self.prompt_id.cmp(&other.prompt_id))
            .then_with(|| self.arrival.cmp(&other.arrival))
    }
}

impl PartialOrd for Priority {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Priority {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Priority {}

/// The waiting jobs.
#[derive(Debug, Default)]
pub(crate) struct PendingQueue {
    jobs: BTreeMap<Priority, Job>,
    arrivals: u64,
}

impl PendingQueue {
    pub(crate) fn push(&mut self, job: Job) {
        let priority = Priority {
            number: as_f64(&job.row.number),
            prompt_id: job.row.prompt_id.clone(),
            arrival: self.arrivals,
        };
        self.arrivals += 1;
        self.jobs.insert(priority, job);
    }

    /// The job that runs next.
    pub(crate) fn first(&self) -> Option<&Job> {
        self.jobs.first_key_value().map(|(_, job)| job)
    }

    pub(crate) fn pop(&mut self) -> Option<Job> {
        self.jobs.pop_first().map(|(_, job)| job)
    }

    pub(crate) fn len(&self) -> usize {
        self.jobs.len()
    }

    /// The waiting jobs, the next one first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Job> {
        self.jobs.values()
    }

    pub(crate) fn contains(&self, prompt_id: &str) -> bool {
        self.iter().any(|job| job.row.prompt_id == prompt_id)
    }

    /// Takes out the jobs with these ids; unknown ids are ignored.
    pub(crate) fn remove(&mut self, prompt_ids: &[String]) -> Vec<Job> {
        let doomed: HashSet<&str> = prompt_ids.iter().map(String::as_str).collect();
        self.jobs
            .extract_if(.., |_, job| doomed.contains(job.row.prompt_id.as_str()))
            .map(|(_, job)| job)
            .collect()
    }

    /// Takes out all jobs.
    pub(crate) fn drain(&mut self) -> Vec<Job> {
        std::mem::take(&mut self.jobs).into_values().collect()
    }
}

/// The number as a priority; −0 and 0 are equal.
fn as_f64(number: &Number) -> f64 {
    number.as_f64().unwrap_or(f64::MAX) + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(number: impl Into<Number>, id: &str) -> Job {
        Job {
            row: QueueTuple {
                number: number.into(),
                prompt_id: id.to_owned(),
                prompt: Arc::new(Value::Null),
                extra_data: Arc::default(),
                outputs_to_execute: Vec::new(),
            },
            prompt: Arc::new(Value::Null),
            extra_data: Arc::default(),
            client_id: None,
            created: 0,
            not_before: Instant::now(),
        }
    }

    fn float(number: f64) -> Number {
        Number::from_f64(number).expect("a finite number")
    }

    fn order(queue: &mut PendingQueue) -> String {
        std::iter::from_fn(|| queue.pop())
            .map(|job| job.row.prompt_id)
            .collect()
    }

    #[test]
    fn lower_numbers_then_smaller_ids_then_older_jobs_run_first() {
        let mut queue = PendingQueue::default();
        for job in [
            job(3, "d"),
            job(-5, "a"),
            job(float(2.5), "c"),
            job(3, "f"),
            job(float(3.0), "e"),
            job(-4, "b"),
        ] {
            queue.push(job);
        }
        assert_eq!(order(&mut queue), "abcdef");
        queue.push(job(float(-0.0), "b"));
        queue.push(job(0, "a"));
        assert_eq!(order(&mut queue), "ab");
        let twins = ["client_1", "client_2"].map(|client| Job {
            client_id: Some(client.to_owned()),
            ..job(1, "same")
        });
        for twin in twins {
            queue.push(twin);
        }
        assert_eq!(queue.len(), 2);
        assert_eq!(
            queue.pop().and_then(|job| job.client_id).as_deref(),
            Some("client_1")
        );
    }

    #[test]
    fn jobs_are_removed_by_id() {
        let mut queue = PendingQueue::default();
        for (number, id) in ["a", "b", "c", "d"].into_iter().enumerate() {
            queue.push(job(number, id));
        }
        let removed = queue.remove(&["c".to_owned(), "nope".to_owned(), "a".to_owned()]);
        assert_eq!(removed.len(), 2);
        assert!(queue.contains("b") && !queue.contains("c"));
        assert_eq!(queue.drain().len(), 2);
        assert_eq!(queue.len(), 0);
    }
}
