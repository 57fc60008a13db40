//! Which jobs are listed, and in which order.

use std::cmp::Reverse;

use comfy_api::jobs::{Job, JobList, JobStatus, Pagination};
use comfy_exec::KnownJob;
use serde::Deserialize;
use utoipa::IntoParams;

use super::report;

/// The query of `GET /api/jobs`.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListingQuery {
    /// Only jobs with one of these statuses, with commas between them: `pending`, `in_progress`, `completed`, `failed`, `cancelled`.
    #[param(nullable = false, example = "in_progress,pending")]
    status: Option<String>,
    /// Only jobs made from the saved workflow with this id.
    #[param(nullable = false)]
    workflow_id: Option<String>,
    /// What they are sorted by: `created_at`, or `execution_duration`, which is 0 until a job has ended.
    #[param(nullable = false, example = "created_at")]
    sort_by: Option<String>,
    /// `desc` for the newest or longest first, or `asc`.
    #[param(nullable = false, example = "desc")]
    sort_order: Option<String>,
    /// At most this many, from 1 on.
    #[param(nullable = false, value_type = Option<i64>, example = 64)]
    limit: Option<String>,
    /// So many are left out first; less than 0 is 0.
    #[param(nullable = false, value_type = Option<i64>, example = 0)]
    offset: Option<String>,
}

/// What to list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Listing {
    statuses: Vec<JobStatus>,
    workflow_id: Option<String>,
    by_duration: bool,
    is_ascending: bool,
    limit: Option<usize>,
    offset: usize,
}

impl Listing {
    /// Reads the query; what is wrong with it, in words.
    pub(super) fn parse(query: &ListingQuery) -> Result<Self, String> {
        let statuses = match query.status.as_deref() {
            None | Some("") => JobStatus::ALL.to_vec(),
            Some(list) => statuses(list)?,
        };
        let by_duration = choice(
            "sort_by",
            query.sort_by.as_deref(),
            ["created_at", "execution_duration"],
        )?;
        let is_ascending = choice("sort_order", query.sort_order.as_deref(), ["desc", "asc"])?;
        let limit = match integer("limit", query.limit.as_deref())? {
            Some(limit) if limit < 1 => {
                return Err(format!(
                    "expected a whole number above 0 as `limit`, got {limit}"
                ));
            }
            limit => limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX)),
        };
        let offset = integer("offset", query.offset.as_deref())?.unwrap_or(0);
        Ok(Self {
            statuses,
            workflow_id: query.workflow_id.clone().filter(|id| !id.is_empty()),
            by_duration,
            is_ascending,
            limit,
            offset: usize::try_from(offset.max(0)).unwrap_or(usize::MAX),
        })
    }

    /// The part of the jobs that is asked for.
    pub(super) fn of(&self, known: &[KnownJob]) -> JobList {
        let wanted = known.iter().filter(|job| {
            self.statuses.contains(&report::status(job))
                && (self.workflow_id.is_none()
                    || self.workflow_id.as_deref() == report::workflow_id(job.row()))
        });
        // Only those that are sent are described; looking through the outputs of all of them takes time.
        let mut wanted: Vec<&KnownJob> = wanted.collect();
        let key = |job: &&KnownJob| {
            if self.by_duration {
                report::duration(job)
            } else {
                i128::from(job.created)
            }
        };
        if self.is_ascending {
            wanted.sort_by_cached_key(key);
        } else {
            wanted.sort_by_cached_key(|job| Reverse(key(job)));
        }
        let total = wanted.len();
        let part = wanted.into_iter().skip(self.offset);
        let jobs: Vec<Job> = part
            .take(self.limit.unwrap_or(usize::MAX))
            .map(report::job)
            .collect();
        JobList {
            pagination: Pagination {
                offset: self.offset,
                limit: self.limit,
                total,
                has_more: self.offset.saturating_add(jobs.len()) < total,
            },
            jobs,
        }
    }
}

fn statuses(list: &str) -> Result<Vec<JobStatus>, String> {
    let words = list.split(',').map(|word| word.trim().to_lowercase());
    words
        .filter(|word| !word.is_empty())
        .map(|word| {
            let known = JobStatus::ALL
                .into_iter()
                .find(|status| status.as_str() == word);
            known.ok_or_else(|| {
                let all = JobStatus::ALL.map(JobStatus::as_str).join(", ");
                format!("expected some of {all} as `status`, got `{word}`")
            })
        })
        .collect()
}

/// Whether the second of two words was chosen; the first is the default.
fn choice(name: &str, text: Option<&str>, [first, second]: [&str; 2]) -> Result<bool, String> {
    match text.map(str::to_lowercase) {
        None => Ok(false),
        Some(text) if text == first => Ok(false),
        Some(text) if text == second => Ok(true),
        Some(text) => Err(format!(
            "expected {first} or {second} as `{name}`, got `{text}`"
        )),
    }
}

fn integer(name: &str, text: Option<&str>) -> Result<Option<i64>, String> {
    text.map(|text| {
        text.trim()
            .parse()
            .map_err(|_| format!("expected a whole number as `{name}`, got `{text}`"))
    })
    .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> String {
        text.to_owned()
    }

    #[test]
    fn queries_are_read_as_comfyui_reads_them() {
        let listing = Listing::parse(&ListingQuery::default()).expect("no query");
        assert_eq!(listing.statuses, JobStatus::ALL);
        assert!(!listing.by_duration && !listing.is_ascending);
        let listing = Listing::parse(&ListingQuery {
            status: Some(text(" Failed ,,pending")),
            sort_by: Some(text("EXECUTION_duration")),
            sort_order: Some(text("ASC")),
            limit: Some(text(" 5 ")),
            offset: Some(text("-3")),
            workflow_id: Some(text("")),
        });
        assert_eq!(
            listing,
            Ok(Listing {
                statuses: vec![JobStatus::Failed, JobStatus::Pending],
                workflow_id: None,
                by_duration: true,
                is_ascending: true,
                limit: Some(5),
                offset: 0,
            })
        );
        let none = Listing::parse(&ListingQuery {
            status: Some(text(",")),
            ..ListingQuery::default()
        });
        assert_eq!(none.expect("a list").statuses, []);
    }

    #[test]
    fn values_that_mean_nothing_are_named() {
        let bad: [fn(&mut ListingQuery); 7] = [
            |query| query.status = Some(text("pending,done")),
            |query| query.sort_by = Some(text("")),
            |query| query.sort_order = Some(text("up")),
            |query| query.limit = Some(text("0")),
            |query| query.limit = Some(text("")),
            |query| query.offset = Some(text("1.5")),
            |query| query.limit = Some(text("99999999999999999999")),
        ];
        for change in bad {
            let mut query = ListingQuery::default();
            change(&mut query);
            let error = Listing::parse(&query).expect_err("a bad query");
            assert!(error.starts_with("expected"), "{error}");
        }
    }
}
