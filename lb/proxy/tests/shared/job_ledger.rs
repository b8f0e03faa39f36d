//! What every ledger of jobs does, whatever it is kept in. Each test gets an empty ledger with
//! room for three jobs that have not ended, 1,000 bytes, one callback, and two forgotten ids.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use weighbridge_core::jobs::{
    Age, Event, Job, JobId, Limits, LineWork, OwnerId, Phase, State, step,
};
use weighbridge_core::units::{Time, Work};
use weighbridge_proxy::jobs::ledger::{
    Bounds, Called, Created, Filter, Found, JobLedger, JobWrite, Kept, Limit, Message, NewJob,
    RepeatKey,
};

/// A test of each function of the contract. `$fresh` gives an empty ledger, and what it lives by.
macro_rules! contract {
    ($fresh:path) => {
        crate::job_ledger::contract!(
            $fresh:
            a_job_is_kept_with_its_request,
            of_two_writes_of_one_version_the_first_stands,
            of_many_at_once_one_has_the_job,
            an_answer_is_kept_with_the_write_that_commits_it,
            a_repeat_finds_the_job_of_its_key,
            what_would_be_too_much_is_refused,
            the_line_is_by_work_and_those_that_waited_too_long_go_first,
            what_is_due_is_found,
            what_is_forgotten_is_known_to_have_been,
            lists_are_filtered_and_come_in_parts,
            a_callback_is_kept_with_the_end_and_tried_until_it_is_delivered,
        );
    };
    ($fresh:path: $($name:ident),* $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let (_home, fresh) = $fresh().await;
            crate::job_ledger::$name(fresh).await;
        }
    )*};
}
pub(crate) use contract;

pub(crate) type Ledger = Arc<dyn JobLedger>;

/// What the ledgers that are tested have room for.
pub(crate) const BOUNDS: Bounds =
    Bounds { open_max: 3, bytes_max: 1000, callbacks_max: 1, forgotten_max: 2 };

const FLEET: &str = "main";

pub(crate) fn limits() -> Limits {
    Limits {
        receive_max: Duration::from_mins(1),
        wait_max: Duration::from_secs(1000),
        run_max: Duration::from_secs(500),
        attempts_max: 3,
        host_deaths_max: 3,
        alone_after: 2,
        backoff_min: Duration::from_secs(1),
        backoff_max: Duration::from_secs(1),
        lease_min: Duration::from_secs(30),
        lease_max: Duration::from_secs(30),
        retention: Duration::from_secs(100),
    }
}

fn at(secs: u64) -> Time {
    Time::from_nanos(secs * 1_000_000_000)
}

fn set_times(kept: &mut Kept) {
    kept.set_times(&limits(), Age { floor: Duration::from_secs(10), factor: 10.0 });
}

/// A job that came in at `secs` and has that much work.
pub(crate) fn new(id: u128, work: f64, secs: u64) -> NewJob {
    let work = Work::saturating(work);
    let mut job = Job::new(JobId::from_bits(id), (work, work), at(secs), &limits());
    step(&mut job, Event::Stored, at(secs), &limits());
    let mut kept = Kept {
        job,
        route: "work".to_owned(),
        fleet: FLEET.to_owned(),
        method: "POST".to_owned(),
        path: "/work".to_owned(),
        request_bytes: 4,
        answer_bytes: 0,
        request_is_object: false,
        answer_is_object: false,
        callback: None,
        client: None,
        overdue_at: Time::ZERO,
        tick_at: Time::ZERO,
    };
    set_times(&mut kept);
    let head = b"POST /work HTTP/1.1\r\n\r\n".to_vec();
    NewJob { kept, request: Message { head, body: Some(Bytes::from_static(b"body")) }, key: None }
}

async fn created(ledger: &Ledger, new: NewJob) -> Kept {
    match ledger.create(new).await.unwrap() {
        Created::Kept(kept) => kept,
        other => panic!("{other:?}"),
    }
}

/// `kept` after `events` at `secs`.
fn after(mut kept: Kept, events: &[Event], secs: u64) -> Kept {
    for event in events {
        step(&mut kept.job, *event, at(secs), &limits());
    }
    set_times(&mut kept);
    kept
}

async fn write(ledger: &Ledger, kept: Kept) -> Option<Kept> {
    ledger.write(JobWrite { kept, answer: None, event: None }).await.unwrap()
}

async fn claimed(ledger: &Ledger, kept: Kept, owner: OwnerId, secs: u64) -> Kept {
    let claimed = after(kept, &[Event::Claimed { owner }], secs);
    write(ledger, claimed).await.unwrap()
}

/// `kept`, which is held, answered with `body`.
fn answered(kept: Kept, body: &str, event: Option<&str>) -> JobWrite {
    let fence = kept.job.fence;
    let events = [
        Event::Answered { fence, status: 200, retry_after: None },
        Event::Kept { fence },
        Event::Told { generation: 0 },
    ];
    let mut kept = after(kept, &events, 50);
    kept.answer_bytes = body.len() as u64;
    let answer = Message {
        head: b"HTTP/1.1 200 \r\n\r\n".to_vec(),
        body: Some(Bytes::copy_from_slice(body.as_bytes())),
    };
    JobWrite { kept, answer: Some(answer), event: event.map(str::to_owned) }
}

fn ids(jobs: &[Kept]) -> Vec<u128> {
    jobs.iter().map(|kept| kept.job.id.to_bits()).collect()
}

pub(crate) async fn a_job_is_kept_with_its_request(ledger: Ledger) {
    let kept = created(&ledger, new(1, 1.0, 0)).await;
    let found = ledger.get(JobId::from_bits(1)).await.unwrap();
    assert_eq!(found, Found::Kept(Box::new(kept)));
    assert_eq!(ledger.request(JobId::from_bits(1)).await.unwrap(), Some(new(1, 1.0, 0).request));
    assert_eq!(ledger.answer(JobId::from_bits(1)).await.unwrap(), None);
    assert_eq!(ledger.get(JobId::from_bits(2)).await.unwrap(), Found::Unknown);
    assert_eq!(ledger.request(JobId::from_bits(2)).await.unwrap(), None);
}

pub(crate) async fn of_two_writes_of_one_version_the_first_stands(ledger: Ledger) {
    let kept = created(&ledger, new(1, 1.0, 0)).await;
    let one = after(kept.clone(), &[Event::Claimed { owner: OwnerId(1) }], 1);
    let other = after(kept, &[Event::Cancel], 1);
    let first = write(&ledger, one).await.unwrap();
    assert_eq!(write(&ledger, other).await, None);
    let found = ledger.get(JobId::from_bits(1)).await.unwrap();
    assert_eq!(found, Found::Kept(Box::new(first.clone())));
    let second = after(first.clone(), &[Event::Renewed { fence: first.job.fence }], 20);
    assert!(write(&ledger, second).await.is_some());
    // A write that has come late changes nothing, however often it comes.
    assert_eq!(write(&ledger, answered(first.clone(), "old", None).kept).await, None);
    assert_eq!(ledger.answer(JobId::from_bits(1)).await.unwrap(), None);
}

pub(crate) async fn of_many_at_once_one_has_the_job(ledger: Ledger) {
    let kept = created(&ledger, new(1, 1.0, 0)).await;
    let claims = (1..=20).map(|owner| {
        let (ledger, kept) = (Arc::clone(&ledger), kept.clone());
        tokio::spawn(async move {
            let claimed = after(kept, &[Event::Claimed { owner: OwnerId(owner) }], 1);
            write(&ledger, claimed).await
        })
    });
    let claims: Vec<_> = claims.collect();
    let mut winners = Vec::new();
    for claim in claims {
        winners.extend(claim.await.unwrap());
    }
    assert_eq!(winners.len(), 1);
    let found = ledger.get(JobId::from_bits(1)).await.unwrap();
    assert_eq!(found, Found::Kept(Box::new(winners.remove(0))));
}

pub(crate) async fn an_answer_is_kept_with_the_write_that_commits_it(ledger: Ledger) {
    let kept = created(&ledger, new(1, 1.0, 0)).await;
    let held = claimed(&ledger, kept, OwnerId(1), 1).await;
    let commit = answered(held.clone(), "result", None);
    let answer = commit.answer.clone();
    let done = ledger.write(commit).await.unwrap().unwrap();
    assert_eq!(done.job.state, State::Succeeded);
    assert_eq!(ledger.answer(done.job.id).await.unwrap(), answer);
    // Another commit by the same claim is late.
    assert_eq!(ledger.write(answered(held, "other", None)).await.unwrap(), None);
    assert_eq!(ledger.answer(done.job.id).await.unwrap(), answer);
}

pub(crate) async fn a_repeat_finds_the_job_of_its_key(ledger: Ledger) {
    let key = |key: u8, payload: u8| Some(RepeatKey { key: [key; 32], payload: [payload; 32] });
    let with = |id, key| NewJob { key, ..new(id, 1.0, 0) };
    let kept = created(&ledger, with(1, key(1, 1))).await;
    assert_eq!(ledger.create(with(2, key(1, 1))).await.unwrap(), Created::Same(kept.clone()));
    assert_eq!(ledger.create(with(3, key(1, 2))).await.unwrap(), Created::Conflict);
    created(&ledger, with(4, key(2, 1))).await;
    assert_eq!(ledger.get(JobId::from_bits(2)).await.unwrap(), Found::Unknown);
    // A key lives as long as its job.
    let held = claimed(&ledger, kept, OwnerId(1), 1).await;
    let done = ledger.write(answered(held, "x", None)).await.unwrap().unwrap();
    assert_eq!(ledger.create(with(5, key(1, 1))).await.unwrap(), Created::Same(done.clone()));
    assert!(ledger.forget(&done).await.unwrap());
    created(&ledger, with(6, key(1, 2))).await;
}

pub(crate) async fn what_would_be_too_much_is_refused(ledger: Ledger) {
    let large = |id| {
        let mut new = new(id, 1.0, 0);
        new.kept.request_bytes = 990;
        new
    };
    let first = created(&ledger, new(1, 1.0, 0)).await;
    let created_large = ledger.create(large(2)).await.unwrap();
    assert!(matches!(created_large, Created::Kept(_)), "994 bytes of 1,000");
    assert_eq!(ledger.create(large(3)).await.unwrap(), Created::Full(Limit::Bytes));
    created(&ledger, new(4, 1.0, 0)).await;
    assert_eq!(ledger.create(new(5, 1.0, 0)).await.unwrap(), Created::Full(Limit::Jobs));
    let cancelled = after(first, &[Event::Cancel, Event::Told { generation: 0 }], 1);
    let cancelled = write(&ledger, cancelled).await.unwrap();
    assert_eq!(ledger.create(new(6, 1.0, 0)).await.unwrap(), Created::Full(Limit::Bytes));
    assert!(ledger.forget(&cancelled).await.unwrap());
    let small = NewJob { kept: Kept { request_bytes: 1, ..new(7, 1.0, 0).kept }, ..new(7, 1.0, 0) };
    assert!(matches!(ledger.create(small).await.unwrap(), Created::Kept(_)));
}

pub(crate) async fn the_line_is_by_work_and_those_that_waited_too_long_go_first(ledger: Ledger) {
    let large = created(&ledger, new(1, 5.0, 0)).await;
    created(&ledger, new(2, 1.0, 55)).await;
    created(&ledger, new(3, 3.0, 56)).await;
    let line = async |secs, most| -> Vec<u128> {
        let line = ledger.line(FLEET, at(secs), most).await.unwrap();
        line.iter().map(|one| one.kept.job.id.to_bits()).collect()
    };
    assert_eq!(line(54, 10).await, [1], "the others have not come");
    assert_eq!(line(59, 10).await, [2, 3, 1]);
    assert_eq!(line(59, 2).await, [2, 3]);
    // 10 s and ten times its work.
    assert_eq!(line(60, 10).await, [1, 2, 3]);
    // Every second place is for those that are overdue, the first ones first.
    assert_eq!(line(75, 10).await, [1, 2, 3]);
    assert_eq!(line(75, 1).await, [1]);
    assert_eq!(ledger.line("other", at(59), 10).await.unwrap(), []);
    let first = ledger.line(FLEET, at(59), 1).await.unwrap();
    assert_eq!(first[0].request, new(2, 1.0, 0).request);
    let ahead = ledger.before(&large).await.unwrap();
    assert_eq!((ahead.jobs, ahead.work.as_cpu_secs()), (2, 4.0));
    let waiting = ledger.waiting(at(59)).await.unwrap();
    let mut expected = LineWork::default();
    for (work, due) in [(5.0, 60), (1.0, 75), (3.0, 96)] {
        expected.add(at(59), Work::saturating(work), at(due));
    }
    assert_eq!(waiting, [(FLEET.to_owned(), expected)]);
    // What is held, or waits for its time, is not in it.
    let held = claimed(&ledger, large, OwnerId(1), 57).await;
    assert_eq!(line(58, 10).await, [2, 3]);
    let fence = held.job.fence;
    let again = [Event::Answered { fence, status: 429, retry_after: Some(Duration::from_secs(1)) }];
    write(&ledger, after(held, &again, 57)).await.unwrap();
    assert_eq!(line(57, 10).await, [2, 3]);
    assert_eq!(line(59, 10).await, [2, 3, 1]);
}

pub(crate) async fn what_is_due_is_found(ledger: Ledger) {
    let due = async |secs| {
        let due = ledger.due(at(secs), 10).await.unwrap();
        due.into_iter().filter(|due| !due.owner_is_gone).map(|due| due.kept).collect::<Vec<_>>()
    };
    let kept = created(&ledger, new(1, 1.0, 0)).await;
    assert_eq!(due(999).await, []);
    assert_eq!(ids(&due(1000).await), [1], "it has waited for too long");
    let held = claimed(&ledger, kept, ledger.owner(), 1).await;
    assert_eq!(due(30).await, []);
    assert_eq!(ids(&due(31).await), [1], "its lease has run out");
    let fence = held.job.fence;
    let renewed = write(&ledger, after(held, &[Event::Renewed { fence }], 20)).await.unwrap();
    assert_eq!(due(49).await, []);
    assert_eq!(ids(&due(50).await), [1]);
    let done = ledger.write(answered(renewed, "x", None)).await.unwrap().unwrap();
    assert_eq!(due(149).await, []);
    assert_eq!(due(150).await, std::slice::from_ref(&done), "it is old enough to be forgotten");
    assert!(ledger.forget(&done).await.unwrap());
    assert_eq!(due(9999).await, []);
}

pub(crate) async fn what_is_forgotten_is_known_to_have_been(ledger: Ledger) {
    for id in 1..=3 {
        let kept = created(&ledger, new(id, 1.0, 0)).await;
        let stale = kept.clone();
        let ended = write(&ledger, after(kept, &[Event::Cancel, Event::Told { generation: 0 }], 1))
            .await
            .unwrap();
        assert!(!ledger.forget(&stale).await.unwrap(), "somebody has written it since");
        assert!(ledger.forget(&ended).await.unwrap());
        assert!(!ledger.forget(&ended).await.unwrap());
        assert_eq!(ledger.request(ended.job.id).await.unwrap(), None);
        assert_eq!(write(&ledger, ended).await, None);
    }
    let found = async |id| ledger.get(JobId::from_bits(id)).await.unwrap();
    // Two ids are remembered.
    assert_eq!(found(1).await, Found::Unknown);
    assert_eq!((found(2).await, found(3).await), (Found::Forgotten, Found::Forgotten));
    let totals = ledger.totals().await.unwrap();
    assert_eq!((totals.bytes, totals.by_phase.iter().map(|(_, n)| n).sum::<u64>()), (0, 0));
}

pub(crate) async fn lists_are_filtered_and_come_in_parts(ledger: Ledger) {
    for id in 1..=3 {
        let mut new = new(id, 1.0, 0);
        new.kept.route = if id == 2 { "other".to_owned() } else { "work".to_owned() };
        created(&ledger, new).await;
    }
    let Found::Kept(first) = ledger.get(JobId::from_bits(1)).await.unwrap() else { panic!() };
    write(&ledger, after(*first, &[Event::Cancel], 1)).await.unwrap();
    let list = async |filter: Filter| ledger.list(&filter).await.unwrap();
    let all = Filter { most: 10, ..Filter::default() };
    assert_eq!(ids(&list(all.clone()).await.jobs), [3, 2, 1]);
    assert_eq!(list(all.clone()).await.next, None);
    let part = list(Filter { most: 2, ..all.clone() }).await;
    assert_eq!(ids(&part.jobs), [3, 2]);
    let rest = list(Filter { most: 2, before: part.next, ..all.clone() }).await;
    assert_eq!(ids(&rest.jobs), [1]);
    let queued = Filter { phase: Some(Phase::Queued), ..all.clone() };
    assert_eq!(ids(&list(queued).await.jobs), [3, 2]);
    let other = Filter { route: Some("other".to_owned()), ..all };
    assert_eq!(ids(&list(other).await.jobs), [2]);
    let totals = ledger.totals().await.unwrap();
    let of = |phase| totals.by_phase.iter().find(|(one, _)| *one == phase).unwrap().1;
    assert_eq!((of(Phase::Queued), of(Phase::Cancelled), of(Phase::Dead)), (2, 1, 0));
}

pub(crate) async fn a_callback_is_kept_with_the_end_and_tried_until_it_is_delivered(
    ledger: Ledger,
) {
    let with = |id| {
        let mut new = new(id, 1.0, 0);
        new.kept.callback = Some("http://a.example/".to_owned());
        new
    };
    let hold = Duration::from_secs(40);
    let take = async |secs| ledger.callbacks(at(secs), hold, 10).await.unwrap();
    let held = claimed(&ledger, created(&ledger, with(1)).await, OwnerId(1), 1).await;
    assert_eq!(take(9999).await, [], "it has not ended");
    ledger.write(answered(held, "x", Some("{}"))).await.unwrap().unwrap();
    assert_eq!(ledger.create(with(2)).await.unwrap(), Created::Full(Limit::Callbacks));
    let [callback] = &take(60).await[..] else { panic!() };
    let (url, event) = (callback.url.as_str(), callback.event.as_str());
    assert_eq!((callback.tries, url, event), (1, "http://a.example/", "{}"));
    assert_eq!(take(99).await, [], "somebody tries it");
    ledger.called(callback.n, Called::Again(at(200), "refused".to_owned())).await.unwrap();
    assert_eq!(take(199).await, []);
    let again = take(200).await;
    assert_eq!((again.len(), again[0].tries, again[0].reason.as_deref()), (1, 2, Some("refused")));
    // Who took it and died leaves it to others.
    assert_eq!(take(241).await.len(), 1);
    ledger.called(callback.n, Called::Dead("gone".to_owned())).await.unwrap();
    assert_eq!(take(9999).await, []);
    let dead = ledger.dead_callbacks(10).await.unwrap();
    assert_eq!((dead.len(), dead[0].reason.as_deref()), (1, Some("gone")));
    let totals = ledger.totals().await.unwrap();
    assert_eq!((totals.callbacks, totals.dead_callbacks), (0, 1));
    let held = claimed(&ledger, created(&ledger, with(3)).await, OwnerId(1), 1).await;
    ledger.write(answered(held, "x", Some("{}"))).await.unwrap().unwrap();
    let [callback] = &take(60).await[..] else { panic!() };
    ledger.called(callback.n, Called::Delivered).await.unwrap();
    assert_eq!(take(9999).await, []);
}
