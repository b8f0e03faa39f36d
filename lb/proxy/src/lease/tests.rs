use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;

use tokio::sync::Notify;
use tokio::time::{advance, timeout};

use super::*;
use crate::metrics::Metrics;

const TERM: Duration = Duration::from_secs(10);

/// What a lease answers next.
#[derive(Debug, Clone, Copy)]
enum Answer {
    Given(u64),
    Taken,
    Error,
    Never,
}

/// Leases that answer as they were told, the last answer for ever.
#[derive(Debug)]
struct Fake {
    answers: Mutex<VecDeque<Answer>>,
    asked: Notify,
    given_back: Mutex<Vec<String>>,
}

#[async_trait]
impl Leases for Fake {
    async fn take(&self, _: &str, _: &str, _: Duration) -> Result<Option<Fence>, LeaseError> {
        let answer = {
            let mut answers = self.answers.lock();
            let answer = answers.pop_front().unwrap();
            if answers.is_empty() {
                answers.push_back(answer);
            }
            answer
        };
        self.asked.notify_one();
        match answer {
            Answer::Given(fence) => Ok(Some(Fence(fence))),
            Answer::Taken => Ok(None),
            Answer::Error => Err(LeaseError("no answer".into())),
            Answer::Never => pending().await,
        }
    }

    async fn give_back(&self, name: &str, holder: &str) -> Result<(), LeaseError> {
        self.given_back.lock().push(format!("{name} of {holder}"));
        Ok(())
    }
}

fn start<const N: usize>(answers: [Answer; N]) -> (Arc<Fake>, Arc<Candidate>) {
    let leases = Arc::new(Fake {
        answers: Mutex::new(answers.into()),
        asked: Notify::new(),
        given_back: Mutex::default(),
    });
    let candidate = Arc::new(Candidate {
        leases: leases.clone(),
        name: "train",
        holder: "me".to_owned(),
        term: TERM,
        leadership: Arc::new(Leadership::candidate()),
        metrics: Metrics::new().unwrap(),
    });
    tokio::spawn(candidate.clone().run());
    (leases, candidate)
}

/// Lets time pass, and all that happens in it.
async fn pass(seconds: f64) {
    let never = pending::<()>();
    timeout(Duration::from_secs_f64(seconds), never).await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn one_that_is_alone_leads_for_ever() {
    let alone = Leadership::alone();
    advance(Duration::from_hours(1000)).await;
    assert_eq!(alone.fence(), Some(Fence(1)));
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_renewed_before_it_ends() {
    let (_, candidate) = start([Answer::Given(7)]);
    assert_eq!(candidate.leadership.fence(), None);
    for _ in 0..100 {
        pass(1.0).await;
        assert_eq!(candidate.leadership.fence(), Some(Fence(7)));
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_gets_no_answers_stops_leading_before_its_term_ends() {
    for silence in [Answer::Error, Answer::Never] {
        let (leases, candidate) = start([Answer::Given(1), silence]);
        leases.asked.notified().await;
        pass(8.9).await;
        assert_eq!(candidate.leadership.fence(), Some(Fence(1)), "{silence:?}");
        pass(0.2).await;
        assert_eq!(candidate.leadership.fence(), None, "{silence:?}");
        assert_eq!(candidate.metrics.value("weighbridge_leading"), Some(0.0));
        let failures = candidate.metrics.value("weighbridge_loop_failures_total");
        assert!(failures.is_some_and(|failures| 1.0 <= failures), "{silence:?}: {failures:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_lost_its_lease_stops_at_once_and_leads_again_with_another_fence() {
    let (_, candidate) = start([Answer::Given(1), Answer::Taken, Answer::Error, Answer::Given(3)]);
    pass(1.0).await;
    assert_eq!(candidate.leadership.fence(), Some(Fence(1)));
    pass(3.0).await;
    assert_eq!(candidate.leadership.fence(), None);
    pass(5.0).await;
    assert_eq!(candidate.leadership.fence(), Some(Fence(3)));
}

#[tokio::test(start_paused = true)]
async fn only_a_leader_gives_back() {
    let (leases, candidate) = start([Answer::Taken]);
    pass(1.0).await;
    candidate.give_back().await;
    assert!(leases.given_back.lock().is_empty());
    let (leases, candidate) = start([Answer::Given(1)]);
    pass(1.0).await;
    candidate.give_back().await;
    assert_eq!(*leases.given_back.lock(), ["train of me"]);
    assert_eq!(candidate.leadership.fence(), None);
}
