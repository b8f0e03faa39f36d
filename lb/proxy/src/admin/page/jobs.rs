//! Jobs: how many there are of each state, and the newest.

use std::time::{Duration, Instant};

use maud::{Markup, html};

use weighbridge_core::jobs::Phase;

use super::words::{bytes, count, number, secs, time_of_day};
use crate::jobs::JobRoom;
use crate::jobs::ledger::{Filter, Kept, LedgerError, Page, Totals};
use crate::jobs::status::rfc_3339;
use crate::metrics::Metrics;

/// The part's name.
pub(super) const NAME: &str = "jobs";

/// The newest jobs are shown, so many.
const SHOWN: usize = 20;

/// The ledger is asked this often: it may be far away.
const EVERY: Duration = Duration::from_secs(5);

/// What the ledger said last, and when.
#[derive(Debug, Default)]
pub(super) struct JobsCache(Option<(Instant, Markup)>);

// === impl JobsCache ===

impl JobsCache {
    /// See the module. What is shown may be so old as [`EVERY`].
    pub(super) async fn html(&mut self, room: &JobRoom, metrics: &Metrics) -> Markup {
        if let Some((at, html)) = &self.0
            && at.elapsed() < EVERY
        {
            return html.clone();
        }
        let html = match ask(room).await {
            Ok((page, totals)) => table(&page, &totals),
            Err(error) => {
                metrics.loop_failed("page_jobs");
                tracing::warn!(%error, "the page shows no jobs");
                html! { p.bad { "The ledger of jobs cannot be read: see the log." } }
            }
        };
        self.0 = Some((Instant::now(), html.clone()));
        html
    }
}

async fn ask(room: &JobRoom) -> Result<(Page, Totals), LedgerError> {
    let newest = Filter { most: SHOWN, ..Filter::default() };
    Ok((room.ledger.list(&newest).await?, room.ledger.totals().await?))
}

fn table(page: &Page, totals: &Totals) -> Markup {
    html! {
        p.state {
            @for (phase, n) in &totals.by_phase {
                @if 0 < *n || *phase == Phase::Queued || *phase == Phase::Running {
                    span { (count(phase.name(), *n)) " " (phase.name()) } " "
                }
            }
            span { (number("bytes", totals.bytes as f64, &bytes(totals.bytes))) } " "
            @if 0 < totals.dead_callbacks {
                span.bad { (count("dead_callbacks", totals.dead_callbacks)) " dead callbacks" }
            }
        }
        @if page.jobs.is_empty() {
            p.none { "There are no jobs." }
        } @else {
            div.scroll.short {
                table {
                    thead { tr {
                        th { "job" } th { "state" } th.n { "work" } th.n.opt { "attempts" }
                        th.opt { "received, UTC" } th.live { span.hidden { "change" } }
                    } }
                    tbody { @for kept in &page.jobs { (row(kept)) } }
                }
            }
        }
    }
}

fn row(kept: &Kept) -> Markup {
    let job = &kept.job;
    let id = job.id.to_string();
    html! {
        tr id={ "job-" (id) } {
            th scope="row" {
                (kept.method) " " span.path { (kept.path) } " " small { (id[..8]) }
            }
            td { span class={ "badge " (job.state.phase().name()) } { (job.state.phase().name()) } }
            td.n { (secs("work_seconds", job.work.as_cpu_secs())) }
            td.n.opt { (count("attempts", u64::from(job.attempts))) }
            td.opt title=(rfc_3339(job.received)) { (time_of_day(job.received.as_secs_f64())) }
            td.live { (changes(&id, job.state.phase())) }
        }
    }
}

fn changes(id: &str, phase: Phase) -> Markup {
    html! {
        @if phase == Phase::Dead {
            button type="button" data-post={ "/jobs/" (id) "/retry" } aria-label={ "Retry job " (id) } { "Retry" }
        } @else if !phase.is_final() {
            button.danger type="button" data-delete={ "/jobs/" (id) } data-ask={ "Cancel job " (id) "?" }
                aria-label={ "Cancel job " (id) } { "Cancel" }
        }
    }
}
