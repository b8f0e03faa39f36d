//! The web part of an exchange: a request is asked by a message, and its answer comes by another.
//!
//! Answers tell of what they answer by its name alone. So one name is asked of once at a time: who
//! asks the same of it meanwhile gets the same answer, and who asks something else waits for its
//! turn. An answer that nobody waits for here is given back to its queue, for another balancer, and
//! deleted when it has come too often.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use super::buckets::Object;
use super::input::{Input, Name, parameter};
use super::made::End;
use super::messages::{MessageError, Messages, Taken};
use super::template::Template;
use crate::backoff::Backoff;
use crate::config::Contract;
use crate::config::contract::Exchange;
use crate::jobs::JobRoom;

/// The most answers that are taken at once.
const TAKEN_MAX: usize = 10;

/// The longest that SQS waits for a message.
pub(in crate::jobs) const WAIT_MAX: Duration = Duration::from_secs(20);

/// How long an answer is hidden that is being given to whoever waits for it.
const HIDDEN: Duration = Duration::from_secs(30);

/// How long an answer is hidden that nobody here waits for: others look meanwhile.
const STRANGE: Duration = Duration::from_secs(1);

/// An answer that was taken so often is nobody's.
const TIMES_MAX: u32 = 20;

/// The most names that are asked of at once.
const WAITING_MAX: usize = 10_000;

/// After a queue has failed.
pub(in crate::jobs) const AGAIN: Backoff =
    Backoff { base: Duration::from_millis(200), max: Duration::from_secs(30) };

/// What is known of an answer: `None` until it is there.
pub(crate) type Reply = watch::Receiver<Option<Came>>;

/// What came of a question.
#[derive(Debug, Clone)]
pub(crate) enum Came {
    /// Its job has ended.
    End(End),
    /// It could not be asked.
    Unasked,
}

/// Why nothing is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unasked {
    /// Too many wait for answers.
    Full,
    /// The message would be longer than it may be.
    TooLong,
    /// An answer could not tell of this name.
    Unnameable,
}

/// Who waits for answers, by route and name.
#[derive(Default)]
pub(crate) struct Desk {
    waiting: Mutex<HashMap<(String, String), Waiting>>,
    asked: Notify,
}

struct Waiting {
    hash: [u8; 32],
    reply: watch::Sender<Option<Came>>,
}

/// Takes answers of the route `route`, and hands them on, until it is dropped.
pub(crate) async fn run(room: Arc<JobRoom>, route: String) {
    let contracts = &room.contracts;
    let Some(messages) = contracts.outside.messages.as_deref() else { return };
    let mut failures = 0;
    loop {
        contracts.desk.until_somebody_waits(&route).await;
        let Some(contract) = room.contract(&route) else { return };
        let Some(exchange) = contract.exchange.as_ref() else { return };
        let times = (WAIT_MAX, HIDDEN);
        match messages.take(&exchange.answers, TAKEN_MAX, times).await {
            Ok(taken) => {
                failures = 0;
                let each = taken.into_iter().map(|one| {
                    contracts.desk.hand_on(&route, (&contract, exchange), (messages, one))
                });
                futures_util::future::join_all(each).await;
            }
            Err(error) => {
                failures += 1;
                room.exchange_failed("jobs_answers", &error);
                sleep(AGAIN.wait(failures)).await;
            }
        }
    }
}

// === impl Desk ===

impl Desk {
    /// Waits until somebody waits for an answer of `route`.
    async fn until_somebody_waits(&self, route: &str) {
        loop {
            let asked = self.asked.notified();
            tokio::pin!(asked);
            asked.as_mut().enable();
            if self.waiting.lock().keys().any(|(of, _)| of == route) {
                return;
            }
            asked.await;
        }
    }

    /// A place to wait for the answer of `key`, and whether it is to be asked. Where somebody asks
    /// something else of it, what that one waits for.
    fn place(
        &self,
        key: &(String, String),
        hash: [u8; 32],
    ) -> Result<(Reply, bool), Option<Reply>> {
        let mut waiting = self.waiting.lock();
        match waiting.get(key) {
            Some(other) if other.hash == hash => Ok((other.reply.subscribe(), false)),
            Some(other) => Err(Some(other.reply.subscribe())),
            None if WAITING_MAX <= waiting.len() => Err(None),
            None => {
                let (reply, receive) = watch::channel(None);
                waiting.insert(key.clone(), Waiting { hash, reply });
                drop(waiting);
                self.asked.notify_waiters();
                Ok((receive, true))
            }
        }
    }

    /// Tells whoever waits for the answer of `key`. Returns whether somebody does.
    fn tell(&self, key: &(String, String), came: Came) -> bool {
        let waiting = self.waiting.lock().remove(key);
        waiting.is_some_and(|waiting| {
            waiting.reply.send_replace(Some(came));
            true
        })
    }

    /// Hands an answer to whoever waits for it.
    async fn hand_on(
        &self,
        route: &str,
        (contract, exchange): (&Contract, &Exchange),
        (messages, taken): (&dyn Messages, Taken),
    ) {
        let read = read(exchange, &taken.body);
        let is_awaited = read.is_some_and(|(key, end)| {
            let key = (route.to_owned(), key);
            let name = Name { whole: key.1.clone(), stem: key.1.clone() };
            self.tell(&key, Came::End(end.checked(contract, &name)))
        });
        let queue = &exchange.answers;
        let is_old = TIMES_MAX <= taken.times;
        if is_old && !is_awaited {
            tracing::warn!(queue, "an answer that nobody waits for is deleted");
        }
        let done = if is_awaited || is_old {
            messages.delete(queue, &taken.handle).await
        } else {
            messages.hide(queue, &taken.handle, STRANGE).await.map(drop)
        };
        if let Err(error) = done {
            // It comes again, and is nobody's then.
            tracing::warn!(%error, "an answer stays in its queue");
        }
    }
}

/// What an answer tells, and of what.
fn read(exchange: &Exchange, body: &str) -> Option<(String, End)> {
    let failed = exchange.failed.as_ref().and_then(|failed| Some((failed, failed.read(body)?)));
    let answer = || exchange.response.read(body).map(|read| (&exchange.response, read));
    let (template, read) = failed.or_else(answer)?;
    let key = read.get(key_of(template))?.clone();
    let end = match read.get("error") {
        Some(why) => End::Failed(why.clone()),
        None => End::Told(read),
    };
    Some((key, end))
}

/// What of a name stands in an answer.
fn key_of(template: &Template) -> &'static str {
    if template.has("name") { "name" } else { "stem" }
}

/// What an answer about `name` is known by; `None` where it could not be read again.
fn key(exchange: &Exchange, name: &Name) -> Option<String> {
    let template = &exchange.response;
    let key = name.value(key_of(template))?.into_owned();
    let made = name.make(template, |_| Some(Cow::Borrowed("x"))).ok()?;
    let again = template.read(&made)?;
    (again.get(key_of(template)) == Some(&key)).then_some(key)
}

// === impl JobRoom ===

impl JobRoom {
    /// The contract of the route `route`, where it has one now.
    pub(crate) fn contract(&self, route: &str) -> Option<Arc<Contract>> {
        let route = self.route_named(route)?;
        self.rooms().config.route(route).contract.clone()
    }

    pub(super) fn exchange_failed(&self, what: &str, error: &MessageError) {
        self.metrics.loop_failed(what);
        tracing::warn!(what, %error, "an exchange failed");
    }

    /// Asks `input` of the route `route` by a message. The answer is taken for up to its
    /// `delivery.wait`, whoever waits for it.
    pub(crate) async fn ask_by_message(
        self: &Arc<Self>,
        (route, contract): (&str, &Arc<Contract>),
        input: &Input,
        query: &str,
    ) -> Result<Reply, Unasked> {
        let Some(exchange) = &contract.exchange else { return Err(Unasked::Full) };
        let key = key(exchange, &input.name).ok_or(Unasked::Unnameable)?;
        let key = (route.to_owned(), key);
        let message = message(exchange, input).ok_or(Unasked::TooLong)?;
        let hash = Sha256::digest(&input.body).into();
        loop {
            match self.contracts.desk.place(&key, hash) {
                Ok((reply, false)) => return Ok(reply),
                Ok((reply, true)) => {
                    let group = group(exchange, &input.name, query);
                    let question = (input.clone(), message, group);
                    let (room, contract) = (Arc::clone(self), Arc::clone(contract));
                    tokio::spawn(async move { room.follow_message(key, contract, question).await });
                    return Ok(reply);
                }
                Err(None) => return Err(Unasked::Full),
                Err(Some(mut other)) => {
                    let _ended = other.wait_for(Option::is_some).await;
                }
            }
        }
    }

    /// Asks, and makes room for the next of that name when the answer is there, or late.
    async fn follow_message(
        self: Arc<Self>,
        key: (String, String),
        contract: Arc<Contract>,
        (input, message, group): (Input, String, Option<String>),
    ) {
        let desk = &self.contracts.desk;
        let asked = self.send(&contract, &input, (&message, group.as_deref())).await;
        // What waits for hours holds no picture.
        drop((input, message));
        if let Err(why) = asked {
            self.metrics.loop_failed("jobs_requests");
            tracing::warn!(why, "a request is not asked");
            desk.tell(&key, Came::Unasked);
            return;
        }
        let reply = desk.waiting.lock().get(&key).map(|one| one.reply.subscribe());
        let Some(mut reply) = reply else { return };
        if timeout(contract.delivery.wait, reply.wait_for(Option::is_some)).await.is_err() {
            // Whoever still waits for it is told by the end of the channel.
            desk.waiting.lock().remove(&key);
        }
    }

    /// Keeps the input, and sends the message.
    async fn send(
        &self,
        contract: &Contract,
        input: &Input,
        (message, group): (&str, Option<&str>),
    ) -> Result<(), String> {
        let outside = &self.contracts.outside;
        let (Some(messages), Some(exchange)) = (&outside.messages, &contract.exchange) else {
            return Err("there are no queues".to_owned());
        };
        if let Some(at) = &contract.intake.object {
            let (media_type, body) = (input.media_type.clone(), input.body.clone());
            let (place, object) = (input.name.place(at), Object { media_type, body });
            let put = outside.buckets.put(&place, &object);
            put.await.map_err(|error| error.to_string())?;
        }
        let sent = messages.send(&exchange.requests, message, group).await;
        sent.map_err(|error| error.to_string())
    }
}

/// The message that asks `input`; one that points to it where that would be too long.
fn message(exchange: &Exchange, input: &Input) -> Option<String> {
    let fits = |text: &String| text.len() as u64 <= exchange.message_bytes_max;
    let value =
        |name: &str| (name == "input.base64").then(|| Cow::Owned(BASE64.encode(&input.body)));
    // In base64 it is a third longer: what cannot fit is not made.
    let is_short = !exchange.request.has("input.base64")
        || (input.body.len() as u64) < exchange.message_bytes_max / 4 * 3;
    let whole = is_short.then(|| input.name.make(&exchange.request, value).ok()).flatten();
    let pointer = || {
        let pointer = exchange.pointer.as_ref()?;
        input.name.make(pointer, |_| Some(Cow::Borrowed(""))).ok()
    };
    whole.filter(fits).or_else(|| pointer().filter(fits))
}

/// The tenant whose request it is.
fn group(exchange: &Exchange, name: &Name, query: &str) -> Option<String> {
    let made = name.make(exchange.group.as_ref()?, |value| {
        let value = value.strip_prefix("query.").and_then(|one| parameter(query, one));
        Some(Cow::Owned(value.unwrap_or_default()))
    });
    // What SQS takes: up to 128 letters, digits and marks.
    let plain = |c: char| c.is_ascii_graphic();
    made.ok().filter(|text| (1..=128).contains(&text.len()) && text.chars().all(plain))
}
